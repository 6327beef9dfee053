"""The outbox: ids that were committed and whose doorbell may not have rung."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, select

from insight_engine.adapters.store.database import Database
from insight_engine.adapters.store.tables import outbox, queries
from insight_engine.domain.query import QueryState


class StoredOutbox:
    """The outbox in the metadata store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def overdue(self, *, older_than_s: float, limit: int) -> Sequence[tuple[UUID, str]]:
        """(query id, correlation id) of entries that old, whose job still is queued; others are forgotten."""
        queued = select(queries.c.id).where(queries.c.state == QueryState.QUEUED.value)
        old = outbox.c.created_at < self._database.now(-older_than_s)
        async with self._database.transaction() as connection:
            await connection.execute(delete(outbox).where(old, outbox.c.query_id.not_in(queued)))
            rows = await connection.execute(
                select(outbox.c.query_id, outbox.c.correlation_id)
                .where(old)
                .order_by(outbox.c.created_at)
                .limit(limit)
            )
            return [(row.query_id, row.correlation_id) for row in rows]

    async def clear(self, ids: Sequence[UUID]) -> None:
        """Forget these entries: their doorbell has rung."""
        async with self._database.transaction() as connection:
            await connection.execute(delete(outbox).where(outbox.c.query_id.in_(ids)))
