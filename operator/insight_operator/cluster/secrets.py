"""The Secrets somebody asked for by name. They may not be listed or watched: they are read again at times.

Values stay in memory here and go nowhere but into the Secrets that the operator itself writes.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable

from insight_operator.cluster import kinds
from insight_operator.cluster.client import Client
from insight_operator.cluster.store import Key
from insight_operator.snapshot import Manifest

_Place = tuple[str, str]


class SecretShelf:
    """Secrets by namespace and name, each with the InsightEngines that care."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[_Place, Manifest | None] = {}
        self._readers: defaultdict[_Place, set[Key]] = defaultdict(set)

    async def read(self, key: Key, names: Iterable[str]) -> dict[str, Manifest | None]:
        """Return the Secrets of these names in the namespace of `key`, None for one that is absent."""
        places = [(key[0], name) for name in sorted(set(names))]
        missing = [place for place in places if place not in self._known]
        found = await asyncio.gather(*(self._fetch(place) for place in missing))
        self._known.update(zip(missing, found, strict=True))
        for place in places:
            self._readers[place].add(key)
        return {name: self._known[namespace, name] for namespace, name in places}

    def put(self, manifest: Manifest) -> None:
        """Take in a Secret that a write returned."""
        self._known[manifest["metadata"]["namespace"], manifest["metadata"]["name"]] = manifest

    def drop(self, namespace: str, name: str) -> None:
        """Forget what a Secret was: the next reading asks the API server."""
        self._known.pop((namespace, name), None)

    def forget(self, key: Key) -> None:
        """Drop everything that only this InsightEngine cared for."""
        for place in [place for place, readers in self._readers.items() if key in readers]:
            self._readers[place].discard(key)
            if not self._readers[place]:
                del self._readers[place]
                self._known.pop(place, None)

    async def refresh(self) -> set[Key]:
        """Read every known Secret again; return the keys of those for which one changed."""
        woken: set[Key] = set()
        for place, known in list(self._known.items()):
            found = await self._fetch(place, cached=True)
            if found is None and known is not None:
                found = await self._fetch(place)  # the API server's memory may not yet show a new one
            if self._known.get(place) is known and _version(found) != _version(known):
                self._known[place] = found
                woken |= self._readers[place]
        return woken

    async def _fetch(self, place: _Place, *, cached: bool = False) -> Manifest | None:
        return await self._client.get(kinds.SECRET, *place, cached=cached)


def _version(manifest: Manifest | None) -> str:
    return "" if manifest is None else str(manifest["metadata"].get("resourceVersion"))
