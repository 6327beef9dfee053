"""A worker's runner over a real store, with a catalog that a test may change while it works."""

from typing import cast

from insight_engine.adapters.queue.local import LocalDoorbell, LocalWakeups
from insight_engine.adapters.store.chunks import StoredChunks
from insight_engine.adapters.store.database import Database
from insight_engine.adapters.store.jobs import StoredJobs
from insight_engine.adapters.store.users import StoredUsers
from insight_engine.domain.sources import DataSource
from insight_engine.ports import OpenSource, SourceCatalog
from insight_engine.services.directory import UserDirectory
from insight_engine.services.open_sources import OpenSources
from insight_engine.services.running import Runner


class ListedSources:
    """A catalog of these sources."""

    def __init__(self, *sources: DataSource) -> None:
        self.sources = {source.name: source for source in sources}

    def all(self) -> dict[str, DataSource]:
        return self.sources

    def credential(self, name: str) -> None:
        del name


def runner(
    database: Database, doorbell: LocalDoorbell, catalog: ListedSources, opens: OpenSource | None = None
) -> Runner:
    sources = cast("SourceCatalog", catalog)
    return Runner(
        worker="w:1",
        jobs=StoredJobs(database),
        chunks=StoredChunks(database),
        catalog=sources,
        directory=UserDirectory(StoredUsers(database)),
        sources=OpenSources(cast("OpenSource", opens), sources),
        wakeups=LocalWakeups(),
        doorbell=doorbell,
    )
