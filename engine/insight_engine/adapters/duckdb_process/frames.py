"""What the engine and its DuckDB process say to each other: small framed messages on one socket.

The engine sends OPEN once and then ASK per statement, pickled, as only the engine may send. The process
answers with READY once, and per statement with BATCH frames or one ROWS, then DONE, or with ERROR; none of
these is pickled, as what runs there is not trusted. DONE carries LEAVING when the process ends then.
"""

import socket
import struct
from typing import Final

OPEN: Final = b"o"
ASK: Final = b"a"
READY: Final = b"r"
BATCH: Final = b"b"
ROWS: Final = b"w"
DONE: Final = b"d"
ERROR: Final = b"e"
LEAVING: Final = b"leaving"

MOST_BYTES: Final = 256 * 1024 * 1024
"""The largest frame; a row that is larger cannot be sent."""

_HEADER: Final = struct.Struct("<cI")


def send(link: socket.socket, kind: bytes, payload: bytes | memoryview) -> None:
    """Send one frame; raises OSError when the other side is gone."""
    link.sendall(_HEADER.pack(kind, len(payload)))
    link.sendall(payload)


def receive(link: socket.socket) -> tuple[bytes, bytearray]:
    """Read one frame.

    Raises:
        EOFError: the other side is gone, or speaks something else.
        OSError: the connection broke.
    """
    kind, size = _HEADER.unpack(_exactly(link, _HEADER.size))
    if size > MOST_BYTES:
        raise EOFError
    return kind, _exactly(link, size)


def _exactly(link: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        got = link.recv_into(view)
        if not got:
            raise EOFError
        view = view[got:]
    return data
