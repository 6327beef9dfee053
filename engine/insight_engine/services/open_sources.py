"""Sources kept open between queries: opening one costs more than a small query does.

A source whose settings or credential changed is opened anew; the old one is closed once its last query ended.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import astuple, dataclass, field
from typing import Any

from insight_engine.domain.credentials import SourceCredential
from insight_engine.domain.sources import DataSource
from insight_engine.ports import OpenSource, Source, SourceCatalog


@dataclass(eq=False, slots=True)
class _Entry:
    key: tuple[Any, ...] = field(repr=False)
    made_of: tuple[DataSource, SourceCredential | None] = field(repr=False)
    source: Source
    users: int = 0


class OpenSources:
    """The open sources of one process."""

    def __init__(self, open_source: OpenSource, catalog: SourceCatalog) -> None:
        self._open_source, self._catalog = open_source, catalog
        self._entries: dict[str, _Entry] = {}

    @asynccontextmanager
    async def borrowed(self, source: DataSource) -> AsyncIterator[Source]:
        """The open source, for one query.

        Raises:
            SourceMisconfigured: its settings or credential cannot work.
        """
        entry = self._current(source)
        entry.users += 1
        try:
            yield entry.source
        finally:
            entry.users -= 1
            if entry.users == 0 and self._entries.get(source.name) is not entry:
                await asyncio.to_thread(entry.source.close)

    def _current(self, source: DataSource) -> _Entry:
        credential = self._catalog.credential(source.name)
        entry = self._entries.get(source.name)
        if entry is not None and entry.made_of[0] is source and entry.made_of[1] is credential:
            return entry  # the very same, as usual: nothing to compare
        key = (source, _facts(credential))
        if entry is None or entry.key != key:
            replaced, entry = entry, _Entry(key, (source, credential), self._open_source(source, credential))
            self._entries[source.name] = entry
            if replaced is not None and replaced.users == 0:
                _close_soon(replaced.source)
        entry.made_of = (source, credential)
        return entry

    async def close(self) -> None:
        """Close them all, ending what runs."""
        entries, self._entries = list(self._entries.values()), {}
        await asyncio.gather(*(asyncio.to_thread(entry.source.close) for entry in entries))


def _facts(credential: SourceCredential | None) -> tuple[Any, ...] | None:
    return None if credential is None else astuple(credential)


def _close_soon(source: Source) -> None:
    asyncio.get_running_loop().run_in_executor(None, source.close)
