"""Connections to the metadata store, and the differences between its two databases, in one place.

The password is read from its file for every new connection, so a rotated one needs no restart.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Hashable, Mapping
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Date,
    Executable,
    Integer,
    Interval,
    String,
    Table,
    cast,
    event,
    func,
    literal,
    text,
    type_coerce,
)
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from insight_engine.adapters.config.endpoints import DatabaseLogin
from insight_engine.adapters.store.away import AWAY_STATES, unavailable
from insight_engine.adapters.store.tables import RESULTS_SCHEMA, SCHEMA, VERSION_TABLE, UtcDateTime
from insight_engine.domain.errors import Unavailable

if TYPE_CHECKING:
    from insight_engine.adapters.store.direct import DirectConnections

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound=Executable)
CONNECT_TIMEOUT_S: Final = 3
LOST_PEER: Final[dict[str, Any]] = {
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 8000,
}
"""libpq notices a server that is gone without a word within about ten seconds."""
POOL_RECYCLE_S: Final = 300
APPLICATION_NAME: Final = "insight-engine"


class Database:
    """A pool of connections to one metadata store."""

    def __init__(
        self, engine: AsyncEngine, insert: Callable[[Table], Any], direct: "DirectConnections | None" = None
    ) -> None:
        self.postgres = direct is not None
        self._direct = direct
        self.insert = insert
        """An INSERT that knows ON CONFLICT, which each database has in its own dialect."""
        self._statements: dict[Hashable, Any] = {}
        self._engine = engine
        self._single = (
            engine.execution_options(isolation_level="AUTOCOMMIT")
            if self.postgres
            else engine.execution_options(insight_autocommit=True)
        )

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[AsyncConnection]:
        """A connection on which each statement is its own transaction: the fewest round trips."""
        async with _translated(), self._single.connect() as connection, bounded(connection):
            yield connection

    async def first(self, statement: Executable, given: Mapping[str, Any]) -> Any:
        """The first row, or None, of a `built` statement in its own transaction: the quickest way."""
        if self._direct is not None:
            return await self._direct.first(statement, given)
        async with self.statement() as connection:
            return (await connection.execute(statement, given)).first()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncConnection]:
        """The same for as long as the caller likes, who bounds each statement by `bounded`."""
        async with _translated(), self._single.connect() as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A connection in one transaction: committed at the end, rolled back by an exception."""
        async with (
            _translated(),
            self._engine.connect() as connection,
            bounded(connection),
            connection.begin(),
        ):
            yield connection

    def now(self, plus_s: float = 0.0) -> ColumnElement[datetime]:
        """The database's clock: leases must not depend on how well the clocks of pods agree."""
        if self.postgres:
            clock = func.clock_timestamp(type_=UtcDateTime)
            return type_coerce(clock + literal(timedelta(seconds=plus_s), Interval), UtcDateTime)
        moment = func.strftime("%Y-%m-%d %H:%M:%f", "now", f"{plus_s:+f} seconds", type_=String)
        return type_coerce(moment + "000", UtcDateTime)  # milliseconds, written as the microseconds they are

    def ms_since(self, moment: ColumnElement[datetime]) -> ColumnElement[int]:
        """Whole milliseconds from a moment until now; NULL for none."""
        if self.postgres:
            return cast(func.extract("epoch", func.clock_timestamp() - moment) * 1000, Integer)
        return cast((func.julianday("now") - func.julianday(moment)) * 86_400_000 + 0.5, Integer)

    def today(self) -> ColumnElement[date]:
        """The database's day, in UTC."""
        if self.postgres:
            return cast(func.timezone("UTC", func.now()), Date)
        return func.date("now", type_=Date)

    def built(self, key: Hashable, build: Callable[[], S]) -> S:
        """The statement of that key, built once: building costs as much as running a small one."""
        found = self._statements.get(key)
        if found is None:
            found = self._statements[key] = build()
        return found

    async def healthy(self) -> bool:
        """Whether the database answers and has been migrated."""
        schema = f"{SCHEMA}." if self.postgres else ""
        try:
            async with self.statement() as connection:
                await connection.execute(text(f"SELECT version_num FROM {schema}{VERSION_TABLE}"))  # noqa: S608
        except (Unavailable, DBAPIError):
            return False
        return True

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()
        if self._direct is not None:
            await self._direct.close()


@asynccontextmanager
async def bounded(connection: AsyncConnection) -> AsyncIterator[None]:
    """Cut the connection when what is done on it takes longer than STATEMENT_S."""
    driver = (await connection.get_raw_connection()).driver_connection
    pgconn = getattr(driver, "pgconn", None)
    if pgconn is None:  # SQLite: a file always answers
        yield
        return
    from insight_engine.adapters.store.direct import STATEMENT_S, cut

    timer = asyncio.get_running_loop().call_later(STATEMENT_S, cut, pgconn)
    try:
        yield
    finally:
        timer.cancel()


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise unavailable(error) from error
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None) or ""
        if error.connection_invalidated or state.startswith(AWAY_STATES):
            raise unavailable(error) from error
        raise
    except OSError as error:
        raise unavailable(error) from error


def retried(call: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Call once more when the connection proves dead: a restarted database breaks every pooled one.

    Only for calls that may run twice.
    """

    async def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await call(*args, **kwargs)
        except Unavailable:
            return await call(*args, **kwargs)

    wrapper.__doc__ = call.__doc__
    return wrapper


def open_postgres(login: Callable[[], DatabaseLogin], *, pool_size: int) -> Database:
    """A pool on PostgreSQL; connects at first use."""
    import psycopg
    from psycopg.rows import namedtuple_row
    from sqlalchemy.dialects.postgresql import insert

    from insight_engine.adapters.store.direct import DirectConnections

    async def connect(**options: Any) -> psycopg.AsyncConnection[Any]:
        try:
            return await psycopg.AsyncConnection.connect(
                login().conninfo,
                connect_timeout=CONNECT_TIMEOUT_S,
                application_name=APPLICATION_NAME,
                **LOST_PEER,
                **options,
            )
        except psycopg.OperationalError as error:
            raise unavailable(error) from error

    engine = create_async_engine(
        "postgresql+psycopg://",
        async_creator=connect,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=5,
        hide_parameters=True,
        pool_recycle=POOL_RECYCLE_S,
    )
    raw = {"autocommit": True, "cursor_factory": psycopg.AsyncRawCursor, "row_factory": namedtuple_row}
    direct = DirectConnections(lambda: connect(**raw, options="-c timezone=UTC"), size=2 * pool_size)
    return Database(engine, insert, direct)


def open_sqlite(path: Path) -> Database:
    """A pool on a SQLite file; the folder must exist."""
    from sqlalchemy.dialects.sqlite import insert

    engine = create_async_engine(
        f"sqlite+aiosqlite:///{path}", pool_size=4, pool_timeout=10, hide_parameters=True
    ).execution_options(schema_translate_map={SCHEMA: None, RESULTS_SCHEMA: None})
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return Database(engine, insert)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that turns into a writer can fail at once with "database is locked".
    if not connection.get_execution_options().get("insight_autocommit"):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
