"""The job table: every move of a query's state is one compare-and-set, guarded by state or fence.

Taking in is in `submissions`, working in `claims`, ending in `endings`, sharing in `sharing`.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import bindparam, select

from insight_engine.adapters.store.claims import Claims
from insight_engine.adapters.store.database import retried
from insight_engine.adapters.store.endings import Endings
from insight_engine.adapters.store.job_rows import job_of
from insight_engine.adapters.store.submissions import Submissions
from insight_engine.adapters.store.tables import queries
from insight_engine.domain.jobs import Job
from insight_engine.domain.query import QueryState


class StoredJobs(Submissions, Claims, Endings):
    """Jobs in the metadata store."""

    @retried
    async def get(self, query_id: UUID) -> Job | None:
        """Read one job."""
        one = self._database.built("get", lambda: select(queries).where(queries.c.id == bindparam("job")))
        row = await self._database.first(one, {"job": query_id})
        return None if row is None else job_of(row)

    @retried
    async def find(
        self,
        *,
        user_id: UUID | None,
        state: QueryState | None,
        datasource: str | None,
        before: UUID | None,
        limit: int,
    ) -> Sequence[Job]:
        """Jobs, newest first, of one user or of all, older than `before`: ids are ordered by time."""
        found = select(queries).order_by(queries.c.id.desc()).limit(limit)
        if user_id is not None:
            found = found.where(queries.c.user_id == user_id)
        if state is not None:
            found = found.where(queries.c.state == state.value)
        if datasource is not None:
            found = found.where(queries.c.datasource == datasource)
        if before is not None:
            found = found.where(queries.c.id < before)
        async with self._database.statement() as connection:
            rows = (await connection.execute(found)).all()
        return [job_of(row) for row in rows]
