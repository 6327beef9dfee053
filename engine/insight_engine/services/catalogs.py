"""What each source contains, as last read by a worker: for browsing, and for the SQL guard.

Workers read and store it; the API only ever reads the store. It is kept compressed; in memory are the names
alone, of as many sources as `MAX_TABLES` allows.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from insight_engine.domain.catalog import SourceSchema
from insight_engine.domain.errors import EngineError
from insight_engine.domain.source_errors import SourceError
from insight_engine.domain.sources import Catalog, DataSource
from insight_engine.ports import Catalogs, Source
from insight_engine.services.catalog_format import packed, unpacked, unpacked_names
from insight_engine.telemetry import get_logger

MAX_AGE_S: Final = 600.0
"""A catalog older than this is read again before a statement is judged by it."""
REFRESH_AFTER_S: Final = 300.0
"""After this long a worker reads it again in the background."""
LOOK_AGAIN_S: Final = 3.0
"""How often, at most, the store is asked whether there is a newer one."""
SCHEMA_TIMEOUT_S: Final = 30.0
MAX_TABLES: Final = 60_000
"""Tables kept in memory, over all sources; the source not used for longest is forgotten first."""


@dataclass(frozen=True, slots=True)
class Known:
    """One source's names, and when they were read."""

    digest: str
    fetched_at: datetime
    names: Catalog

    @property
    def age_s(self) -> float:
        """Seconds since it was read."""
        return (datetime.now(UTC) - self.fetched_at).total_seconds()

    @property
    def tables(self) -> int:
        """How many tables it names."""
        return sum(map(len, self.names.values()))


def source_digest(source: DataSource) -> str:
    """Changes when the source's settings make another catalog; who may read it does not."""
    facts = (source.name, source.dialect.value, source.schemas, source.path)
    return sha256(repr(facts).encode()).hexdigest()


class CatalogService:
    """The catalogs as one process knows them."""

    def __init__(self, store: Catalogs, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._looked: dict[str, float] = {}
        self._reads: dict[str, int] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def known(self, source: DataSource) -> Catalog | None:
        """The names as far as this process knows them now; looks for newer ones in the background."""
        self._look_soon(source)
        found = self._current(source)
        return None if found is None else found.names

    def age_s(self, source: DataSource) -> float | None:
        """Seconds since the known names were read from the source; None when none are known."""
        found = self._current(source)
        return None if found is None else found.age_s

    async def stored(self, source: DataSource) -> tuple[SourceSchema, datetime] | None:
        """The whole stored schema; None when there is none of the source as it is configured now."""
        loaded = await self._store.load(source.name)
        if loaded is None or loaded[0] != source_digest(source):
            return None
        schema = await asyncio.to_thread(unpacked, loaded[2])
        return schema, loaded[1]

    async def reload(self, source: DataSource) -> Catalog | None:
        """Take up what the store holds now."""
        async with self._lock(source):
            await self._take_up(source)
        found = self._current(source)
        return None if found is None else found.names

    async def ensure(self, source: DataSource, opened: Source | None) -> Catalog:
        """Names not older than `MAX_AGE_S`: stored ones, else read from the source. For workers.

        Raises:
            SourceError: the source cannot tell.
            EngineError: none are stored and no source was given.
        """
        found = self._current(source)
        if found is None or found.age_s > MAX_AGE_S:
            async with self._lock(source):
                await self._take_up(source)
                found = self._current(source)
                if found is None or found.age_s > MAX_AGE_S:
                    found = await self._read(source, opened)
        elif found.age_s > REFRESH_AFTER_S and opened is not None:
            self._in_background(source, self.read(source, opened))
        return found.names

    async def read(self, source: DataSource, opened: Source) -> None:
        """Read the source anew and store what it contains. For workers.

        Raises:
            SourceError: the source cannot tell.
        """
        before = self._reads.get(source.name, 0)
        async with self._lock(source):
            if self._reads.get(source.name, 0) == before:  # else somebody just did
                await self._read(source, opened)

    async def _read(self, source: DataSource, opened: Source | None) -> Known:
        if opened is None:
            raise EngineError("catalog_unknown", f"What data source {source.name} contains is not known yet.")
        schema = await asyncio.to_thread(opened.schema, timeout_s=SCHEMA_TIMEOUT_S)
        self._reads[source.name] = self._reads.get(source.name, 0) + 1
        content = await asyncio.to_thread(packed, schema)
        digest = source_digest(source)
        fetched_at = await self._store.save(source.name, digest, content)
        get_logger("catalogs").info("Read a catalog", datasource=source.name, tables=len(schema.tables))
        return self._remember(source, Known(digest, fetched_at, schema.names()))

    async def _take_up(self, source: DataSource) -> None:
        self._looked[source.name] = self._clock()
        stamp = await self._store.stamp(source.name)
        digest, known = source_digest(source), self._known.get(source.name)
        if stamp is None or stamp[0] != digest:
            return
        if known is not None and (known.digest, known.fetched_at) == stamp:
            return
        loaded = await self._store.load(source.name)
        if loaded is None or loaded[0] != digest:
            return
        names = await asyncio.to_thread(unpacked_names, loaded[2])
        self._remember(source, Known(digest, loaded[1], names))

    def _remember(self, source: DataSource, known: Known) -> Known:
        self._known[source.name] = known
        self._known.move_to_end(source.name)
        while len(self._known) > 1 and sum(k.tables for k in self._known.values()) > MAX_TABLES:
            self._known.popitem(last=False)
        return known

    def _current(self, source: DataSource) -> Known | None:
        found = self._known.get(source.name)
        if found is None or found.digest != source_digest(source):
            return None
        self._known.move_to_end(source.name)
        return found

    def _look_soon(self, source: DataSource) -> None:
        if self._clock() - self._looked.get(source.name, float("-inf")) < LOOK_AGAIN_S:
            return
        self._looked[source.name] = self._clock()
        self._in_background(source, self._look(source))

    async def _look(self, source: DataSource) -> None:
        async with self._lock(source):
            await self._take_up(source)

    def _in_background(self, source: DataSource, work: Coroutine[Any, Any, None]) -> None:
        """Do it unless something is being done for that source already; failing changes nothing."""
        if source.name in self._tasks:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(_quietly(source.name, work))
        self._tasks[source.name] = task
        task.add_done_callback(lambda _: self._tasks.pop(source.name, None))

    def _lock(self, source: DataSource) -> asyncio.Lock:
        return self._locks.setdefault(source.name, asyncio.Lock())


async def _quietly(name: str, work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except (EngineError, SourceError) as error:
        get_logger("catalogs").debug("Could not look at a catalog", datasource=name, code=error.code)
    except Exception:  # noqa: BLE001 - what is known stays in use
        get_logger("catalogs").exception("Failed to look at a catalog", datasource=name)
