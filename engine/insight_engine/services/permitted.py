"""Whether a claimed query may still run: user and source may have changed while it waited."""

from datetime import UTC, datetime
from typing import Final

from insight_engine.domain.errors import EngineError
from insight_engine.domain.jobs import Job
from insight_engine.domain.sources import DataSource, Role
from insight_engine.domain.users import User
from insight_engine.ports import SourceCatalog
from insight_engine.services.directory import UserDirectory

NEWS_TRAVEL_S: Final = 120.0
"""Seconds after which a worker should know every source that the API knows; a rollout takes about as long."""


class NotKnownHereError(Exception):
    """This worker does not know the query's source yet, as the API does; another worker may."""


async def permitted(job: Job, directory: UserDirectory, catalog: SourceCatalog) -> tuple[User, DataSource]:
    """The user of a query and the source it asks, as they are now.

    Raises:
        EngineError: the user may not run it any more, or the source is gone.
        NotKnownHereError: the source is not known here, and the query is so young that it may be new.
    """
    user = await directory.get(job.user_id)
    if user is None or user.disabled or not user.is_at_least(Role.ANALYST):
        raise _refused()
    source = catalog.all().get(job.datasource)
    if source is None:
        if (datetime.now(UTC) - job.submitted_at).total_seconds() < NEWS_TRAVEL_S:
            raise NotKnownHereError
        raise EngineError(
            "datasource_not_known",
            f"The worker does not know the data source {job.datasource}: it was removed, or is so new that "
            "the worker still runs without it. See GET /api/v1/datasources, then submit the query again.",
        )
    if not user.may_query(source):
        raise _refused()
    return user, source


def _refused() -> EngineError:
    return EngineError("no_longer_allowed", "You may no longer query this data source.")
