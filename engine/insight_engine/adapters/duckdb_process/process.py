"""The engine's side of one DuckDB process: starts it, asks it, ends it."""

import json
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

import insight_engine
from insight_engine.adapters.duckdb_process import frames
from insight_engine.adapters.duckdb_process.messages import Opening, Question

_ROOT: Final = str(Path(insight_engine.__file__).parents[1])
_BOOT: Final = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from insight_engine.adapters.duckdb_process.child import main; main()"
)


_ENVIRONMENT: Final = {"ARROW_DEFAULT_MEMORY_POOL": "system"}
"""All it inherits. The other pools reserve a gigabyte of address space, which its limit would count."""


class ProcessDiedError(Exception):
    """The process is gone: ended by us, by the kernel for its memory, or by a fault of the library."""


class RefusedError(Exception):
    """DuckDB refused; the text is its own."""


class DatabaseProcess:
    """One process with one file or folder open. Answers one question at a time."""

    def __init__(self, opening: Opening) -> None:
        """Start it; it is ready a while later.

        Attributes:
            idle: whether it can be asked again once its answer was read.
            idle_since: when it began to wait, on the monotonic clock.
        """
        self.opening = opening
        self.idle_since = time.monotonic()
        self.idle = True
        self._ready: dict[str, Any] | None = None
        self._link, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - a program of our own, with fixed arguments
                    [sys.executable, "-I", "-c", _BOOT, _ROOT],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    env=_ENVIRONMENT,
                    start_new_session=True,
                )
        except OSError:
            self._link.close()
            raise
        self._say(frames.OPEN, opening)

    def wait_until_ready(self) -> dict[str, Any]:
        """What it said once it had opened everything: version, problems by table, confined.

        Raises:
            RefusedError: DuckDB cannot open it.
            ProcessDiedError: it ended.
        """
        if self._ready is None:
            _, told = self._hear(frames.READY)
            self._ready = dict(json.loads(told))
        return self._ready

    def batches(self, asked: Question) -> Iterator[pa.RecordBatch]:
        """The rows of a query, a few megabytes at a time; raises as `wait_until_ready`."""
        self._say(frames.ASK, asked)
        while True:
            kind, told = self._hear(frames.BATCH, frames.DONE)
            if kind == frames.DONE:
                return
            yield _read(told)

    def rows(self, asked: Question) -> list[list[Any]]:
        """The rows of a small question as JSON values; raises as `wait_until_ready`."""
        self._say(frames.ASK, asked)
        _, told = self._hear(frames.ROWS)
        self._hear(frames.DONE)
        return [list(row) for row in json.loads(told)]

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it at once, from any thread; `close` waits for that."""
        self._process.kill()

    def close(self) -> None:
        """End it and return when it is gone."""
        self._process.kill()
        self._process.wait()
        self._link.close()

    def _say(self, kind: bytes, what: Opening | Question) -> None:
        self.idle = kind == frames.OPEN
        with suppress(OSError):  # hearing its end says why
            frames.send(self._link, kind, pickle.dumps(what))

    def _hear(self, *wanted: bytes) -> tuple[bytes, bytearray]:
        try:
            kind, told = frames.receive(self._link)
        except (EOFError, OSError):
            raise ProcessDiedError(self._end()) from None
        if kind == frames.ERROR:
            refusal = json.loads(told)
            self._rest(leaving=refusal["leaving"])
            raise RefusedError(str(refusal["message"]))
        if kind not in wanted:
            raise ProcessDiedError("it spoke out of turn")
        if kind == frames.DONE:
            self._rest(leaving=told == frames.LEAVING)
        return kind, told

    def _rest(self, *, leaving: bool) -> None:
        self.idle, self.idle_since = not leaving, time.monotonic()

    def _end(self) -> str:
        self._process.kill()
        code = self._process.wait()
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def _read(told: bytearray) -> pa.RecordBatch:
    """One batch; checked, as what wrote it may have been taken over by a file that it read."""
    try:
        with pa.ipc.open_stream(pa.py_buffer(told)) as reader:
            batch = reader.read_next_batch()
        batch.validate(full=True)
    except (pa.ArrowException, StopIteration, OSError):
        raise ProcessDiedError("it sent what is no batch") from None
    return batch
