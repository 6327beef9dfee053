"""Leadership by a PostgreSQL advisory lock: it ends with its connection, so a killed leader never blocks.

On SQLite there is one process only, which always leads.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from insight_engine.adapters.store.database import Database, bounded
from insight_engine.domain.errors import Unavailable

HOUSEKEEPING_LOCK = 0x1E5C_0002
SILENT_LEADER_S = 10
"""PostgreSQL ends the session of a leader silent for this long: a frozen process must not lead."""


class LockTerm:
    """Leadership while the locking connection lives."""

    def __init__(self, connection: AsyncConnection | None) -> None:
        self._connection = connection

    async def still_held(self) -> bool:
        """Whether the lock is still ours."""
        if self._connection is None:
            return True
        try:
            async with bounded(self._connection):
                await self._connection.execute(text("SELECT 1"))
        except DBAPIError:
            return False
        return True


class StoreLeadership:
    """At most one process per metadata store keeps house."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def lead(self) -> AsyncIterator[LockTerm | None]:
        """A term of leadership, or None when another process holds it or the database is away."""
        if not self._database.postgres:
            yield LockTerm(None)
            return
        async with self._database.session() as connection:
            async with bounded(connection):
                held = await connection.scalar(
                    text("SELECT pg_try_advisory_lock(:key)"), {"key": HOUSEKEEPING_LOCK}
                )
            if not held:
                yield None
                return
            try:
                async with bounded(connection):
                    await connection.execute(text(f"SET idle_session_timeout = '{SILENT_LEADER_S}s'"))
                yield LockTerm(connection)
            finally:
                await _release(connection)


async def _release(connection: AsyncConnection) -> None:
    # The connection goes back to a pool: a lock left on it would outlive the term.
    try:
        async with bounded(connection):
            await connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": HOUSEKEEPING_LOCK})
            await connection.execute(text("RESET idle_session_timeout"))
    except (DBAPIError, Unavailable):
        await connection.invalidate()
