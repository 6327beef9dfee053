"""One connection to PostgreSQL that runs one statement at a time, in one round trip, and can be used again.

BEGIN, the settings and the statement travel together by the extended protocol (one statement, values bound);
rows come a few at a time, so memory stays bounded whatever the server has ready. How it is left:

- After a complete answer it is reset (ROLLBACK, DISCARD ALL) and only then used again. The reset is sent
  without waiting for it: the next query finds its answer there.
- After anything else it is closed.

A cancel must never hit the *next* query of a connection. One from this process takes the session's lock
and does nothing once the answer is complete; a session it did touch is closed. One from another process
finds the backend by the query's name, and holds an advisory lock on that name from before it looks until
after it has signalled (postgres_control.py). The reset takes the same lock after the name is gone: whoever
looks later finds no such name, whoever looked earlier has signalled by then, and the signal breaks the
reset, not a query.
"""

import select
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Final

import psycopg
from psycopg import pq
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGcancelConn, PGresult

Bound = tuple[Sequence[bytes | None], Sequence[int]]
"""Values in their text form, and the OIDs of their types; 0 lets the server decide."""

_ROWS_AT_ONCE: Final = 32
_RESET_WITHIN_S: Final = 0.5
_ABANDON_WITHIN_S: Final = 1.0
_CANCEL_WITHIN_S: Final = 3.0
_FINE: Final = {
    ExecStatus.COMMAND_OK,
    ExecStatus.TUPLES_OK,
    ExecStatus.TUPLES_CHUNK,
    ExecStatus.PIPELINE_SYNC,
}


class ServerError(Exception):
    """The server refused a statement.

    Attributes:
        state: SQLSTATE.
        message: the primary message: no statement, no address.
    """

    def __init__(self, state: str, message: str) -> None:
        super().__init__(message)
        self.state, self.message = state, message


class ConnectionBrokenError(Exception):
    """The connection is of no use any more; `late` when the server just did not answer in time."""

    def __init__(self, message: str, *, late: bool = False) -> None:
        super().__init__(message)
        self.late = late


class Session:
    """One connection and what it does."""

    def __init__(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        self.connection = connection
        self.made = time.monotonic()
        self.used = False
        self._pg = connection.pgconn
        self._poll = select.poll()
        self._poll.register(self._pg.socket, select.POLLIN)
        self._lock = threading.Lock()
        self._busy = False
        self._touched = False
        self._failed = False
        self._mute = False
        self._deadline = 0.0
        self.name = ""

    @property
    def version(self) -> int:
        """The server's version as a number: 180002 is 18.2."""
        return self._pg.server_version

    def run(
        self, sql: str, bound: Bound, settings: Sequence[tuple[str, str]], deadline: float
    ) -> Iterator[PGresult]:
        """Run a statement in a read-only transaction with these settings; results of a few rows each.

        The first result comes even without rows, for its columns. `deadline` is a moment of the monotonic
        clock.

        Raises:
            ServerError: the server says no.
            ConnectionBrokenError: it says nothing.
        """
        with self._lock:
            self._busy, self._deadline = True, deadline
            self.name = dict(settings).get("application_name", "")
        calls = ", ".join(f"set_config(${2 * n + 1}, ${2 * n + 2}, true)" for n in range(len(settings)))
        self._send(
            (b"BEGIN TRANSACTION READ ONLY", None, None),
            (f"SELECT {calls}".encode(), [part.encode() for pair in settings for part in pair], None),
            (sql.encode(), bound[0], bound[1]),
        )
        self._finished()
        self._finished()
        self._pg.set_chunked_rows_mode(_ROWS_AT_ONCE)
        first = True
        while (result := self._next()) is not None:
            if first or result.ntuples:
                yield result
            first = False
        self._finished()
        self._pg.exit_pipeline_mode()

    def interrupt(self) -> None:
        """Ask the server to stop, from any thread; nothing when nothing runs."""
        with self._lock:
            if not self._busy:
                return
            self._touched = True
            cancel = self._pg.cancel_conn()
        with suppress(psycopg.Error):
            _request(cancel)

    def finish(self) -> bool:
        """Start the reset after a complete answer; False when this connection must not be used again."""
        with self._lock:
            self._busy = False
            if self._touched:
                return False
        try:
            self._send((b"ROLLBACK", None, None))
            self._send((b"DISCARD ALL", None, None))
            lock = str(advisory_key(self.name)).encode()
            self._send((b"SELECT pg_catalog.pg_advisory_xact_lock($1)", [lock], [20]))
        except (psycopg.Error, ConnectionBrokenError):
            return False
        self.used = True
        return True

    def ready(self) -> bool:
        """Whether the reset is done and has worked; waits for it a moment."""
        if not self.used:
            return not self._poll.poll(0)
        self._deadline = time.monotonic() + _RESET_WITHIN_S
        try:
            for _ in range(3):
                self._finished()
                self._finished(sync=True)
            self._pg.exit_pipeline_mode()
        except (psycopg.Error, ServerError, ConnectionBrokenError):
            return False
        self.used = False
        return self._pg.transaction_status == TransactionStatus.IDLE and not self._poll.poll(0)

    def abandon(self) -> bool:
        """Stop the server's work if it has any, see to it that the query's name is gone, and close.

        False when the server did not confirm it: it hangs, or is in the middle of sending something huge.
        """
        gone = not self._mute
        try:
            if gone and self._is_answering():
                self._drain()
        except ConnectionBrokenError as error:
            gone = not error.late
        except (psycopg.Error, ServerError):
            gone = True
        self.close()
        return gone

    def _drain(self) -> None:
        if not self._failed:
            self.interrupt()
        self._deadline = time.monotonic() + _ABANDON_WITHIN_S
        while self._result_or_gap() is not ExecStatus.PIPELINE_SYNC:
            if time.monotonic() > self._deadline:
                raise ConnectionBrokenError("The server went on for too long.", late=True)
        self._pg.exit_pipeline_mode()
        self._pg.send_query(b"ROLLBACK")
        while self._next() is not None:
            pass

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._busy = False
            with suppress(psycopg.Error):
                self.connection.close()

    def _is_answering(self) -> bool:
        return self._pg.status == pq.ConnStatus.OK and self._pg.pipeline_status != pq.PipelineStatus.OFF

    def _send(
        self,
        *statements: tuple[bytes, Sequence[bytes | None] | None, Sequence[int] | None],
    ) -> None:
        try:
            if self._pg.pipeline_status == pq.PipelineStatus.OFF:
                self._pg.enter_pipeline_mode()
            for sql, values, kinds in statements:
                self._pg.send_query_params(sql, values, param_types=kinds)
            self._pg.pipeline_sync()
        except psycopg.Error as error:
            raise ConnectionBrokenError(str(error)) from None

    def _finished(self, *, sync: bool = False) -> None:
        """Take one statement's whole answer, or one sync's."""
        while self._next() is not None:
            if sync:
                return

    def _result_or_gap(self) -> ExecStatus | None:
        """What comes next while an answer is thrown away."""
        try:
            result = self._next()
        except ServerError:
            return None
        return None if result is None else ExecStatus(result.status)

    def _next(self) -> PGresult | None:
        """The next result; None after the last of a statement."""
        try:
            while self._pg.is_busy():
                left = self._deadline - time.monotonic()
                if left <= 0 or not self._poll.poll(max(1, round(left * 1000))):
                    self._mute = True
                    raise ConnectionBrokenError("The server did not answer in time.", late=True)
                self._pg.consume_input()
            result = self._pg.get_result()
        except psycopg.Error as error:
            raise ConnectionBrokenError(str(error)) from None
        if result is None or result.status in _FINE:
            return result
        state = result.error_field(pq.DiagnosticField.SQLSTATE) or b""
        message = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or result.error_message
        self._failed = True  # the server has ended the statement itself
        if result.status == ExecStatus.PIPELINE_ABORTED:
            message = b"the statement was not run"
        raise ServerError(state.decode("ascii", "replace"), message.decode("utf-8", "replace"))


def _request(cancel: PGcancelConn) -> None:
    """Send a request to cancel and wait for the server to have passed it on.

    Step by step, as the driver's blocking call would hold up every thread of the process meanwhile.
    """
    deadline = time.monotonic() + _CANCEL_WITHIN_S
    cancel.start()
    while (wants := cancel.poll()) != pq.PollingStatus.OK:
        left = deadline - time.monotonic()
        wait = select.poll()
        wait.register(cancel.socket, select.POLLIN if wants == pq.PollingStatus.READING else select.POLLOUT)
        if left <= 0 or not wait.poll(round(left * 1000)):
            return


def advisory_key(name: str) -> int:
    """The advisory lock of a query's name: a number of 64 bits."""
    return int.from_bytes(sha256(f"insight {name}".encode()).digest()[:8], "big", signed=True)
