"""Registers the watches: the resource itself, every watched kind of child, and pods."""

from dataclasses import dataclass
from typing import Any

import kopf

from insight_operator import naming
from insight_operator.cluster import kinds
from insight_operator.cluster.client import Client
from insight_operator.cluster.store import Key, Store
from insight_operator.queue import WorkQueue


@dataclass(frozen=True, slots=True)
class Memo:
    """What handlers share."""

    store: Store
    queue: WorkQueue[Key]


async def changed(event: Any, memo: Memo, **_: object) -> None:
    """Wake the InsightEngines for which a watch event is news."""
    for key in memo.store.note(event["type"], event["object"]):
        memo.queue.add(key)


def registry(client: Client) -> kopf.OperatorRegistry:
    """Return the handlers: one per watched kind, and the login that shares our session."""
    made = kopf.OperatorRegistry()
    for kind in kinds.WATCHED:
        kopf.on.event(kind.group, kind.version, kind.plural, registry=made, id=kind.plural)(changed)

    @kopf.on.login(registry=made)
    async def login(**_: object) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(
            server=client.login.server,
            aiohttp_session=client.session,
            default_namespace=client.login.namespace,
        )

    return made


def settings() -> kopf.OperatorSettings:
    """Return kopf's settings: watch what is ours, write nothing, look for no other kinds or namespaces."""
    made = kopf.OperatorSettings()
    made.scanning.disabled = True
    made.posting.enabled = False
    made.peering.standalone = True
    made.queueing.worker_limit = None
    made.networking.request_timeout = 30
    made.networking.connect_timeout = 5
    made.process.ultimate_exiting_timeout = 10
    for kind in kinds.WATCHED:
        if kind is not kinds.ENGINE:
            made.watching.label_selectors[kind.group, kind.version, kind.plural] = naming.ENGINE_LABEL
    return made
