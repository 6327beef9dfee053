"""Gathers what one pass needs to know: watched objects from memory, Secrets by name. Decides nothing."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass

import structlog

from insight_operator import naming
from insight_operator.cluster import kinds, ownership
from insight_operator.cluster.client import Client
from insight_operator.cluster.errors import ClusterError, Forbidden
from insight_operator.cluster.pulse import Pulse, Stream
from insight_operator.cluster.reflector import Reflector, selector
from insight_operator.cluster.secrets import SecretShelf
from insight_operator.cluster.store import Key, Store
from insight_operator.snapshot import Manifest, Observed, Remark, SecretFacts
from insight_operator.validate import references

_log = structlog.get_logger("insight_operator")


@dataclass(frozen=True, slots=True)
class Identity:
    """What names and ownership hang on, known even of a resource whose spec is refused."""

    name: str
    namespace: str
    uid: str


def identity(resource: Manifest) -> Identity:
    """Return the identity of a resource."""
    metadata = resource["metadata"]
    return Identity(metadata["name"], metadata["namespace"], metadata["uid"])


class Observer:
    """Looks at the watched namespaces through one client and remembers what it saw."""

    def __init__(self, client: Client, namespaces: Iterable[str]) -> None:
        self._client = client
        self._namespaces = tuple(namespaces)
        self._left_out: set[str] = set()
        self._seen: dict[Stream, int] = {}
        self.store = Store()
        self.shelf = SecretShelf(client)
        self.pulse = Pulse()

    async def sync(self) -> set[Key]:
        """List everything that is watched; return the keys of the InsightEngines for which that was news.

        A namespace that may not be looked at, such as one that was deleted, is left out until it may again.

        Raises:
            Forbidden: no namespace is left.
        """
        woken: set[Key] = set()
        refused: dict[str, Forbidden] = {}
        for namespace in self._namespaces:
            try:
                woken |= await self._look(namespace)
            except Forbidden as refusal:
                refused[namespace] = refusal
        for namespace in refused.keys() - self._left_out:
            _log.error("Namespace is left out", namespace=namespace, error=str(refused[namespace]))
        self._left_out = set(refused)
        if refused and len(refused) == len(self._namespaces):
            raise next(iter(refused.values()))
        return woken

    async def _look(self, namespace: str) -> set[Key]:
        found = await asyncio.gather(*(self.look_at(kind, namespace) for kind in kinds.WATCHED))
        return set[Key]().union(*found)

    async def look_at(self, kind: kinds.Kind, namespace: str) -> set[Key]:
        """List one kind; return the InsightEngines for which that was news. Raises ClusterError."""
        within = "" if namespace == kinds.EVERYWHERE else namespace
        listing = await self._client.list_all(kind, within, selector(kind))
        self._seen[kind.kind, within] = listing.resource_version
        return self.store.replace(kind.kind, within, listing)

    def reflections(self, wake: Callable[[set[Key]], None]) -> Iterator[Coroutine[None, None, None]]:
        """Return the endless work of following every kind of child, and pods, from what was listed on."""
        for namespace in self._namespaces:
            within = "" if namespace == kinds.EVERYWHERE else namespace
            for kind in kinds.WATCHED:
                if kind is not kinds.ENGINE:
                    follower = Reflector(self._client, self.store, self.pulse, wake, kind, within)
                    yield follower.run(self._seen.get((kind.kind, within)))

    @property
    def namespaces(self) -> list[str]:
        """The namespaces that are watched; none is named when all are."""
        return [] if self.everywhere else list(self._namespaces)

    @property
    def everywhere(self) -> bool:
        """Whether all namespaces are watched, those to come included."""
        return kinds.EVERYWHERE in self._namespaces

    def resource(self, key: Key) -> Manifest | None:
        """Return the InsightEngine, None when it is gone or going: then its children go by themselves."""
        found = self.store.get(naming.KIND, *key)
        return None if found is None or found["metadata"].get("deletionTimestamp") else found

    async def observe(self, resource: Manifest) -> Observed:
        """Return the resource and everything that exists of it."""
        owner = identity(resource)
        key = (owner.namespace, owner.name)
        secrets = await self.shelf.read(key, references(resource))
        return self.seen(resource, {name: _facts(secret) for name, secret in secrets.items()})

    def seen(self, resource: Manifest, secrets: dict[str, SecretFacts | None]) -> Observed:
        """Return the same without any request: after a write it holds what the write returned."""
        owner = identity(resource)
        key = (owner.namespace, owner.name)
        owned = [manifest for manifest in self.store.owned(key) if manifest["kind"] in kinds.BY_KIND]
        children = {
            (manifest["kind"], manifest["metadata"]["name"]): manifest
            for manifest in owned
            if manifest["kind"] != kinds.POD.kind and ownership.is_ours(manifest, owner)
        }
        pods = tuple(manifest for manifest in owned if manifest["kind"] == kinds.POD.kind)
        return Observed(self.store.get(naming.KIND, *key) or resource, children, pods, secrets)

    async def remarks(self, wanted: Iterable[Manifest]) -> tuple[Remark, ...]:
        """Return what Events say of these objects, oldest first; nothing of what cannot be read.

        They explain and decide nothing, so a server that refuses them holds nothing up.
        """
        found: list[Manifest] = []
        for manifest in wanted:
            try:
                listing = await self._client.events_about(manifest)
            except ClusterError as error:
                _log.warning("Events not read", about=manifest["metadata"]["name"], error=str(error))
                continue
            uid = manifest["metadata"].get("uid")
            found += (item for item in listing.items if item.get("regarding", {}).get("uid") == uid)
        return tuple(_remark(event) for event in sorted(found, key=_last_written))


def _remark(event: Manifest) -> Remark:
    about = event["regarding"]
    note, reason = str(event.get("note") or ""), str(event.get("reason") or "")
    return Remark(about["kind"], about["name"], reason, note)


def _last_written(event: Manifest) -> int:
    # An Event is written again each time it is counted up: no other of its times is of one kind for all.
    return int(event["metadata"].get("resourceVersion") or 0)


def _facts(secret: Manifest | None) -> SecretFacts | None:
    if secret is None:
        return None
    labels = secret["metadata"].get("labels") or {}
    return SecretFacts(labels, frozenset(secret.get("data") or {}))
