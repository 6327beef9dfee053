"""The Secrets somebody asked for by name. They may not be listed or watched: they are read again at times.

A pass that begins half a minute after the last reading reads again: whatever happens to an engine also shows
what became of its Secrets.

Values stay in memory here and go nowhere but into the Secrets that the operator itself writes.
"""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from typing import Final

from insight_operator.cluster import errors, kinds
from insight_operator.cluster.client import Client
from insight_operator.cluster.store import Key, compact
from insight_operator.errors import WriteForbidden
from insight_operator.snapshot import Manifest

_ACCOUNT: Final = re.compile(r'User "system:serviceaccount:([^:"]+):([^:"]+)"')

FRESH_S: Final = 30.0
"""How long what was read counts as what is there."""

_Place = tuple[str, str]


class SecretShelf:
    """Secrets by namespace and name, each with the InsightEngines that care."""

    def __init__(self, client: Client, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._known: dict[_Place, Manifest | None] = {}
        self._read_at: dict[_Place, float] = {}
        self._readers: defaultdict[_Place, set[Key]] = defaultdict(set)

    async def read(self, key: Key, names: Iterable[str]) -> dict[str, Manifest | None]:
        """Return the Secrets of these names in the namespace of `key`, None for one that is absent.

        Raises:
            WriteForbidden: the operator has no right to Secrets in this namespace.
        """
        places = [(key[0], name) for name in sorted(set(names))]
        found = await asyncio.gather(*(self._current(place) for place in places))
        for place in places:
            self._readers[place].add(key)
        return {name: secret for (_, name), secret in zip(places, found, strict=True)}

    def put(self, manifest: Manifest) -> None:
        """Take in a Secret that a write returned."""
        self._keep((manifest["metadata"]["namespace"], manifest["metadata"]["name"]), manifest)

    def drop(self, namespace: str, name: str) -> None:
        """Forget what a Secret was: the next reading asks the API server."""
        self._known.pop((namespace, name), None)
        self._read_at.pop((namespace, name), None)

    def forget(self, key: Key) -> None:
        """Drop everything that only this InsightEngine cared for."""
        for place in [place for place, readers in self._readers.items() if key in readers]:
            self._readers[place].discard(key)
            if not self._readers[place]:
                del self._readers[place]
                self.drop(*place)

    async def refresh(self, keys: Collection[Key] | None = None) -> set[Key]:
        """Read every known Secret again, or those of some InsightEngines; return whom a change is about.

        Where the right to read was taken away, what was known is forgotten: the next pass then says so.
        """
        woken: set[Key] = set()
        for place in list(self._known):
            if keys is not None and self._readers[place].isdisjoint(keys):
                continue
            try:
                changed = await self._again(place)
            except WriteForbidden:
                self.drop(*place)
                changed = True
            if changed:
                woken |= self._readers[place]
        return woken

    async def _current(self, place: _Place) -> Manifest | None:
        if place in self._known and self._clock() - self._read_at[place] > FRESH_S:
            await self._again(place)
        if place not in self._known:
            self._keep(place, await self._fetch(place))
        return self._known[place]

    async def _again(self, place: _Place) -> bool:
        """Read a known Secret again, cheaply; tell whether it changed."""
        known = self._known.get(place)
        found = await self._fetch(place, cached=True)
        if found is None and known is not None:
            found = await self._fetch(place)  # the API server's memory may not yet show a new one
        if place not in self._known or self._known[place] is not known:
            return False  # written or dropped meanwhile
        self._keep(place, found)
        return _version(found) != _version(known)

    def _keep(self, place: _Place, found: Manifest | None) -> None:
        self._known[place] = found and compact(found)
        self._read_at[place] = self._clock()

    async def _fetch(self, place: _Place, *, cached: bool = False) -> Manifest | None:
        try:
            return await self._client.get(kinds.SECRET, *place, cached=cached)
        except errors.Forbidden as refusal:
            raise WriteForbidden("metadata.namespace", _missing_role(place[0], str(refusal))) from refusal


def _missing_role(namespace: str, refusal: str) -> str:
    account = _ACCOUNT.search(refusal)
    option = f" --service-account {account[1]}/{account[2]}" if account else ""
    return (
        f"the operator may not use Secrets in the namespace {namespace}. Somebody who may grant that there "
        f"must run: insight-operator rbac --cluster --namespace {namespace}{option} | kubectl apply -f -"
    )


def _version(manifest: Manifest | None) -> str:
    return "" if manifest is None else str(manifest["metadata"].get("resourceVersion"))
