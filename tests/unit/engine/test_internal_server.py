"""Port 9090 when its callers misbehave."""

import socket
import struct
import threading
from collections.abc import Iterator
from http.client import RemoteDisconnected
from pathlib import Path
from urllib.request import urlopen

import pytest

from insight_engine import internal
from insight_engine.internal import InternalServer
from insight_engine.runtime import METRICS_ENV, RunFolder, prepare
from support.servers import free_port
from support.waiting import eventually


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunFolder]:
    monkeypatch.setenv(METRICS_ENV, "")  # preparing sets it: it is put back for other tests
    made = prepare(tmp_path)
    yield made
    made.remove()


def test_a_caller_that_hangs_up_is_no_fault(folder: RunFolder, capfd: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    InternalServer(folder, port, host="127.0.0.1").start()
    before = threading.active_count()
    with socket.create_connection(("127.0.0.1", port)) as caller:
        caller.sendall(b"GET /health/live HTTP/1.1\r\n\r\n")
        assert caller.recv(12) == b"HTTP/1.1 200"
        # Closed with a reset while something is unread, as a probe that only wants the status closes it.
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    eventually("the end of the caller's thread", lambda: threading.active_count() <= before, 20)
    assert "Traceback" not in capfd.readouterr().err


def test_a_fault_of_ours_is_logged_and_not_printed(
    folder: RunFolder, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    logged: list[str] = []

    class Log:
        def exception(self, event: str) -> None:
            logged.append(event)

    def broken(_: object) -> bool:
        raise RuntimeError("broken")

    monkeypatch.setattr(internal, "live", broken)
    monkeypatch.setattr(internal, "get_logger", lambda _: Log())
    InternalServer(folder, port, host="127.0.0.1").start()
    with pytest.raises(RemoteDisconnected):
        urlopen(f"http://127.0.0.1:{port}/health/live", timeout=10)
    eventually("the log line", lambda: logged == ["Failed to answer"], 10)
    assert "Traceback" not in capfd.readouterr().err
