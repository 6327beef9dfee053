"""Prepared statements by MySQL's binary protocol, on top of the driver's packets.

The driver itself only splices values into the statement's text. Here the statement goes to the server exactly
as it was judged, the values travel apart from it, the server refuses more than one statement, and numbers,
dates and times arrive exact instead of rounded or as text.
"""

import struct
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final

from pymysql.constants import COMMAND, FIELD_TYPE
from pymysql.protocol import FieldDescriptorPacket

from insight_engine.adapters.sources.mysql_connect import Connection
from insight_engine.domain.source_errors import QueryFailed
from insight_engine.sqlguard.sealed import Parameters, Scalar

_PREPARE: Final = COMMAND.COM_STMT_PREPARE
_EXECUTE: Final = COMMAND.COM_STMT_EXECUTE
_UNSIGNED: Final = 0x8000
_SMALLEST, _LARGEST, _LARGEST_UNSIGNED = -(2**63), 2**63 - 1, 2**64 - 1


class Statement:
    """One statement, prepared on the server. Its columns are known once it was executed."""

    def __init__(self, connection: Connection, sql: str) -> None:
        self._connection = connection
        connection._execute_command(_PREPARE, sql)  # noqa: SLF001 - the driver offers no prepared statements
        head = connection._read_packet().get_all_data()  # noqa: SLF001
        if len(head) < struct.calcsize("<xIHH"):  # HELP is answered at once, as if it were not being prepared
            raise QueryFailed("The database does not prepare this statement.")
        self._id, columns, self._values = struct.unpack_from("<IHH", head, 1)
        for count in (self._values, columns):
            self._skip(count)
        self.columns: list[Any] = []

    def execute(self, parameters: Parameters) -> None:
        """Start it with these values.

        Raises:
            QueryFailed: other values than the statement asks for, or one that cannot be sent.
        """
        if isinstance(parameters, Mapping) or len(parameters) != self._values:
            raise QueryFailed(f"The statement asks for {self._values} values for its ?: give a list of them.")
        payload = struct.pack("<IBI", self._id, 0, 1) + _bound(tuple(parameters))
        self._connection._execute_command(_EXECUTE, payload)  # noqa: SLF001
        head = self._connection._read_packet()  # noqa: SLF001
        if head.is_ok_packet():
            raise QueryFailed("The statement returns no rows.")
        count = head.read_length_encoded_integer() or 0
        self.columns = [self._connection._read_packet(FieldDescriptorPacket) for _ in range(count)]  # noqa: SLF001
        self._connection._read_packet()  # noqa: SLF001 - the end of the columns

    def rows(self) -> Iterator[bytes]:
        """The packets of the rows, as the server sends them."""
        while True:
            packet = self._connection._read_packet()  # noqa: SLF001
            if packet.is_eof_packet():
                return
            yield packet.get_all_data()

    def _skip(self, count: int) -> None:
        for _ in range(count + bool(count)):
            self._connection._read_packet()  # noqa: SLF001


def _bound(values: tuple[Scalar, ...]) -> bytes:
    if not values:
        return b""
    nulls = bytearray((len(values) + 7) // 8)
    kinds, data = b"", b""
    for place, value in enumerate(values):
        if value is None:
            nulls[place // 8] |= 1 << place % 8
        kind, encoded = _value(value)
        kinds += struct.pack("<H", kind)
        data += encoded
    return bytes(nulls) + b"\x01" + kinds + data


def _value(value: Scalar) -> tuple[int, bytes]:
    if value is None:
        return FIELD_TYPE.NULL, b""
    if isinstance(value, int) and _SMALLEST <= value <= _LARGEST:
        return FIELD_TYPE.LONGLONG, struct.pack("<q", value)
    if isinstance(value, int) and 0 <= value <= _LARGEST_UNSIGNED:
        return FIELD_TYPE.LONGLONG | _UNSIGNED, struct.pack("<Q", value)
    if isinstance(value, float):
        return FIELD_TYPE.DOUBLE, struct.pack("<d", value)
    if isinstance(value, bytes):
        return FIELD_TYPE.BLOB, _sized(value)
    kind = FIELD_TYPE.NEWDECIMAL if isinstance(value, int | Decimal) else FIELD_TYPE.VAR_STRING
    return kind, _sized(_text(value))


def _text(value: Scalar) -> bytes:
    if isinstance(value, datetime):
        moment = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
        return moment.isoformat(" ").encode()
    if isinstance(value, date | time):
        return value.isoformat().encode()
    try:
        return format(value, "f").encode() if isinstance(value, Decimal) else str(value).encode()
    except UnicodeEncodeError:
        raise QueryFailed("A parameter holds half a surrogate pair, which is no text.") from None


def _sized(data: bytes) -> bytes:
    size = len(data)
    if size < 251:  # noqa: PLR2004 - the protocol's own limits
        return bytes((size,)) + data
    if size < 2**16:
        return b"\xfc" + struct.pack("<H", size) + data
    return b"\xfd" + struct.pack("<I", size)[:3] + data
