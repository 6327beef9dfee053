"""One connection to MySQL or MariaDB, made for one query and closed after it.

What marks it is a user-level lock named after the query: any other connection may ask which connection holds
a lock, with no privilege at all, and a login may always end its own queries. Connection numbers are never
used twice while a server runs, so a KILL that comes too late hits nothing.
"""

import threading
import time
from contextlib import suppress
from typing import Any, Final

import pymysql

from insight_engine.adapters.sources.mysql_connect import Connection, Login

SQL_MODE: Final = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
"""As the guard reads: "…" is text, a backslash escapes, || is OR; and the same on every server."""

LOCK_TIMEOUT_S: Final = 5
_SAME_NAME: Final = 4
"""Connections of one query that can be told apart: one taken for lost may run twice for a moment."""

_KILL_TIMEOUT_S: Final = 5
_ASK_AGAIN_S: Final = 0.02
_CLOSE_AFTER_S: Final = 0.5
_GIVE_UP_AFTER_S: Final = 10.0
_NO_SUCH_THREAD: Final = 1094


class Session:
    """A connection with everything set for one query."""

    def __init__(self, login: Login, timeout_s: float, grace_s: float) -> None:
        self._login = login
        self.connection = login.connect(timeout_s + grace_s)
        self.is_mariadb = "mariadb" in self.connection.get_server_info().lower()
        self._lock = threading.Lock()
        self._open = True

    def begin(self, query_id: str, timeout_s: float, variables: dict[str, str]) -> None:
        """Set the session up and open a read-only transaction."""
        limit = f"max_statement_time = {timeout_s:.3f}"
        if not self.is_mariadb:
            limit = f"max_execution_time = {max(1, round(timeout_s * 1000))}"
        marks = " OR ".join(f"GET_LOCK({literal(name)}, 0)" for name in marks_of(query_id))
        settings = [
            f"sql_mode = '{SQL_MODE}'",
            "time_zone = '+00:00'",
            limit,
            f"lock_wait_timeout = {LOCK_TIMEOUT_S}",
            *(f"@{name} = {literal(value)}" for name, value in variables.items()),
            f"@insight_mark = ({marks})",
        ]
        self.connection.query("SET SESSION " + ", ".join(settings))
        self.connection.query("START TRANSACTION READ ONLY")

    def interrupt(self) -> None:
        """End the query from another thread and another connection."""
        with self._lock:
            if self._open:
                with suppress(pymysql.Error, OSError):
                    _kill(self._login, self.connection.thread_id())

    def close(self) -> None:
        """Close; ends the server's work, if it still has any."""
        with self._lock:
            self._open = False
            with suppress(Exception):
                self.connection._force_close()  # noqa: SLF001 - a polite goodbye would first read what is left


def end(login: Login, query_id: str) -> bool:
    """End the query of that id wherever it was started; True once no connection carries its mark."""
    started = time.monotonic()
    holders = ", ".join(f"IS_USED_LOCK({literal(name)})" for name in marks_of(query_id))
    try:
        control = login.connect(_KILL_TIMEOUT_S)
        try:
            with control.cursor() as cursor:
                while (waited := time.monotonic() - started) < _GIVE_UP_AFTER_S:
                    cursor.execute(f"SELECT {holders}")
                    row: tuple[Any, ...] = cursor.fetchone() or ()
                    found = [int(number) for number in row if number is not None]
                    if not found:
                        return True
                    for number in found:
                        _kill_by(cursor, number, query_only=waited < _CLOSE_AFTER_S)
                    time.sleep(_ASK_AGAIN_S)
        finally:
            control.close()
    except (pymysql.Error, OSError):
        return False
    return False


def _kill(login: Login, number: int) -> None:
    control = login.connect(_KILL_TIMEOUT_S)
    try:
        with control.cursor() as cursor:
            _kill_by(cursor, number, query_only=True)
    finally:
        control.close()


def _kill_by(cursor: "pymysql.cursors.Cursor", number: int, *, query_only: bool) -> None:
    try:
        cursor.execute(f"KILL {'QUERY' if query_only else 'CONNECTION'} {number:d}")
    except pymysql.Error as error:
        if error.args[0] != _NO_SUCH_THREAD:
            raise


def marks_of(query_id: str) -> tuple[str, ...]:
    """The locks that a query's connection may hold; MySQL knows 64 characters of a name."""
    return tuple(f"insight:{query_id}"[:62] + f":{n}" for n in range(_SAME_NAME))


def literal(text: str) -> str:
    """Text as a literal in which nothing can end it: hexadecimal digits only."""
    return f"_utf8mb4 X'{text.encode('utf-8', 'replace').hex()}'"


__all__ = ["Connection", "Session", "end", "literal", "marks_of"]
