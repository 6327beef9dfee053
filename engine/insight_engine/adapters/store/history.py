"""What the store forgets after a while, in bounded batches: deleting a month at once would stop the rest."""

from sqlalchemy import delete, select, update

from insight_engine.adapters.store.database import Database
from insight_engine.adapters.store.tables import control_requests, queries
from insight_engine.domain.query import QueryState


class StoredHistory:
    """The record of queries that ended."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def expire_results(self, *, limit: int) -> int:
        """Mark the queries whose result's time is over; how many."""
        over = (
            select(queries.c.id)
            .where(queries.c.state == QueryState.SUCCEEDED.value, queries.c.expires_at < self._database.now())
            .order_by(queries.c.expires_at)
            .limit(limit)
        )
        change = (
            update(queries)
            .where(queries.c.id.in_(over), queries.c.state == QueryState.SUCCEEDED.value)
            .values(
                state=QueryState.EXPIRED.value,
                error_code="result_expired",
                error_message="The result is no longer kept. Submit the query again.",
            )
        )
        async with self._database.statement() as connection:
            return (await connection.execute(change)).rowcount

    async def forget_queries(self, *, older_than_s: float, limit: int) -> int:
        """Delete the rows of queries that ended so long ago and have no result any more; how many.

        One whose result others share has not expired before theirs, so it stays as long as they need it.
        """
        old = (
            select(queries.c.id)
            .where(
                queries.c.finished_at < self._database.now(-older_than_s),
                queries.c.state != QueryState.SUCCEEDED.value,
            )
            .order_by(queries.c.finished_at)
            .limit(limit)
        )
        async with self._database.statement() as connection:
            return (await connection.execute(delete(queries).where(queries.c.id.in_(old)))).rowcount

    async def forget_requests(self, *, older_than_s: float, limit: int) -> int:
        """Delete control requests that were void so long ago; how many."""
        old = (
            select(control_requests.c.id)
            .where(control_requests.c.expires_at < self._database.now(-older_than_s))
            .limit(limit)
        )
        change = delete(control_requests).where(control_requests.c.id.in_(old))
        async with self._database.statement() as connection:
            return (await connection.execute(change)).rowcount
