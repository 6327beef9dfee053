"""Keeps the store up to date with one kind in one namespace: a list, and a watch from there on, for ever.

Order and completeness are the API server's promise for one connection; whatever ends a connection or breaks
that promise leads to a new watch from the last version, or to a new list, which also shows what was deleted.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Final

import structlog

from insight_operator import naming
from insight_operator.cluster import kinds
from insight_operator.cluster.client import Client
from insight_operator.cluster.errors import ClusterError, Forbidden, Outdated
from insight_operator.cluster.kinds import Kind
from insight_operator.cluster.pulse import Pulse
from insight_operator.cluster.store import Key, Store

_FIRST_WAIT_S: Final = 0.2
_LONGEST_WAIT_S: Final = 8.0
_REFUSED_WAIT_S: Final = 30.0
_log = structlog.get_logger("insight_operator")


def selector(kind: Kind) -> str:
    """Return the labels by which a kind is listed and watched."""
    return "" if kind is kinds.ENGINE else naming.ENGINE_LABEL


class Reflector:
    """Follows one kind in one namespace, or in all for an empty one.

    Args:
        client: how to list and watch.
        store: takes in what is shown.
        pulse: is told of every sign of life.
        wake: gets the keys of the InsightEngines for which there is news.
    """

    def __init__(
        self,
        client: Client,
        store: Store,
        pulse: Pulse,
        wake: Callable[[set[Key]], None],
        kind: Kind,
        namespace: str,
    ) -> None:
        self._client = client
        self._store = store
        self._pulse = pulse
        self._wake = wake
        self._kind = kind
        self._namespace = namespace
        self._since: int | None = None
        self._wait_s = _FIRST_WAIT_S

    async def run(self, since: int | None) -> None:
        """Follow from a version that was listed already, or from a list; never ends, never raises."""
        self._since = since
        while True:
            try:
                if self._since is None:
                    await self._list()
                await self._follow()
            except Outdated:
                self._since = None
            except Forbidden as refusal:
                self._pulse.excused(self._kind.kind, self._namespace)
                _log.debug("Watch is refused", error=str(refusal))
                self._since, self._wait_s = None, _REFUSED_WAIT_S
            except ClusterError as error:
                _log.debug("Watch ended", kind=self._kind.kind, namespace=self._namespace, error=str(error))
            except Exception as defect:  # noqa: BLE001 - an event we could not take in is a lost one
                _log.error("Watch broke off", kind=self._kind.kind, error=str(defect), exc_info=defect)
                self._since = None
            await asyncio.sleep(self._wait_s * random.uniform(0.8, 1.2))
            self._wait_s = min(2 * self._wait_s, _LONGEST_WAIT_S)

    async def _list(self) -> None:
        found = await self._client.list_all(self._kind, self._namespace, selector(self._kind))
        self._alive()
        self._wake(self._store.replace(self._kind.kind, self._namespace, found))
        self._since = found.resource_version

    async def _follow(self) -> None:
        watch = self._client.watch(self._kind, self._namespace, selector(self._kind), self._since or 0)
        async for event, manifest in watch:
            self._alive()
            if event != "BOOKMARK":
                self._wake(self._store.note(event, manifest))
            self._since = int(manifest["metadata"]["resourceVersion"])

    def _alive(self) -> None:
        self._pulse.heard(self._kind.kind, self._namespace)
        self._wait_s = _FIRST_WAIT_S
