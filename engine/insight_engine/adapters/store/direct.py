"""Single statements on PostgreSQL, built by SQLAlchemy and run by the driver itself.

SQLAlchemy's connection layer costs several times what the driver does for a small statement, and a query's
life is made of small statements. So those are compiled once, and run on connections of their own.
"""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import psycopg
from sqlalchemy import Executable
from sqlalchemy.dialects.postgresql import psycopg as dialects

from insight_engine.adapters.store.away import AWAY_STATES, unavailable

STATEMENT_S: Final = 5.0
"""Seconds that a statement or transaction may take before its connection is given up."""
WAIT_S: Final = 5.0
"""Seconds that a statement may wait for a connection."""
RECYCLE_S: Final = 300.0
_DIALECT: Final = dialects.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]

Connect = Callable[[], Awaitable["psycopg.AsyncConnection[Any]"]]


class Compiled:
    """A statement as the driver takes it."""

    def __init__(self, statement: Executable) -> None:
        compiled: Any = statement.compile(dialect=_DIALECT)  # type: ignore[attr-defined]
        self.text = str(compiled)
        binds = {name: bind for bind, name in compiled.bind_names.items()}
        self._binds = [
            (bind.key, bind.effective_value, bind.type.dialect_impl(_DIALECT).bind_processor(_DIALECT))
            for bind in (binds[name] for name in compiled.positiontup)
        ]

    def values(self, given: Mapping[str, Any]) -> list[Any]:
        """The parameters in their order: those given, and the statement's own constants."""
        found = []
        for key, constant, process in self._binds:
            value = given.get(key, constant)
            found.append(value if process is None else process(value))
        return found


class DirectConnections:
    """A pool of connections that each run one statement at a time, as its own transaction."""

    def __init__(self, connect: Connect, *, size: int) -> None:
        self._connect = connect
        self._free = asyncio.Semaphore(size)
        self._idle: list[tuple[psycopg.AsyncConnection[Any], float]] = []
        self._compiled: dict[int, tuple[Executable, Compiled]] = {}

    async def first(self, statement: Executable, given: Mapping[str, Any]) -> Any:
        """The first row, or None; the statement must be one that is kept and run again.

        Raises:
            Unavailable: the database does not answer.
        """
        compiled = self._compile(statement)
        try:
            async with asyncio.timeout(WAIT_S):
                await self._free.acquire()
        except TimeoutError as error:
            raise unavailable(error) from error
        try:
            return await self._run(compiled, given)
        finally:
            self._free.release()

    def _compile(self, statement: Executable) -> Compiled:
        found = self._compiled.get(id(statement))
        if found is None:  # the statement is kept too: else its id would be another's one day
            found = self._compiled[id(statement)] = (statement, Compiled(statement))
        return found[1]

    async def _run(self, compiled: Compiled, given: Mapping[str, Any]) -> Any:
        connection, since = await self._taken()
        timer = asyncio.get_running_loop().call_later(STATEMENT_S, cut, connection.pgconn)
        try:
            cursor = await connection.execute(compiled.text, compiled.values(given))
            row = await cursor.fetchone()
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            await self._drop(connection)
            raise unavailable(error) from error
        except psycopg.Error as error:
            await self._drop(connection)
            if (error.sqlstate or "").startswith(AWAY_STATES):
                raise unavailable(error) from error
            raise
        except BaseException:
            await connection.close()
            raise
        finally:
            timer.cancel()
        self._idle.append((connection, since))
        return row

    async def _taken(self) -> tuple["psycopg.AsyncConnection[Any]", float]:
        while self._idle:
            connection, since = self._idle.pop()
            if time.monotonic() - since < RECYCLE_S and not connection.closed:
                return connection, since
            await connection.close()
        return await self._connect(), time.monotonic()

    async def _drop(self, broken: "psycopg.AsyncConnection[Any]") -> None:
        """Close a connection, and with it those that a restart of the server broke alike."""
        idle, self._idle = self._idle, []
        for connection in (broken, *(connection for connection, _ in idle)):
            await connection.close()

    async def close(self) -> None:
        """Close what is idle."""
        idle, self._idle = self._idle, []
        for connection, _ in idle:
            await connection.close()


def cut(pgconn: Any) -> None:
    """Cut a connection that took too long.

    Not by cancelling: the driver then asks the same silent server to cancel, and waits for that twice.
    """
    # Any error here means that it is closed already.
    with suppress(Exception), socket.socket(fileno=os.dup(pgconn.socket)) as connection:
        connection.shutdown(socket.SHUT_RDWR)
