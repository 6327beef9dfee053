"""Gathers what one pass needs to know: watched objects from memory, Secrets by name. Decides nothing."""

from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from insight_operator import naming
from insight_operator.cluster import kinds, ownership
from insight_operator.cluster.client import Client
from insight_operator.cluster.errors import Forbidden
from insight_operator.cluster.secrets import SecretShelf
from insight_operator.cluster.store import Key, Store
from insight_operator.snapshot import Manifest, Observed, SecretFacts
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
        self.store = Store()
        self.shelf = SecretShelf(client)

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
        woken: set[Key] = set()
        for kind in kinds.WATCHED:
            selector = "" if kind is kinds.ENGINE else naming.ENGINE_LABEL
            listing = await self._client.list_all(kind, namespace, selector)
            woken |= self.store.replace(kind.kind, namespace, listing)
        return woken

    @property
    def namespaces(self) -> list[str]:
        """The namespaces that could be looked at the last time."""
        return [namespace for namespace in self._namespaces if namespace not in self._left_out]

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


def _facts(secret: Manifest | None) -> SecretFacts | None:
    if secret is None:
        return None
    labels = secret["metadata"].get("labels") or {}
    return SecretFacts(labels, frozenset(secret.get("data") or {}))
