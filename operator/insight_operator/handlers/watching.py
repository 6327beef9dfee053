"""Registers the watches: the resource itself, every watched kind of child, and pods."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import kopf

from insight_operator import naming
from insight_operator.cluster import kinds
from insight_operator.cluster.client import open_session
from insight_operator.cluster.login import Login, find
from insight_operator.cluster.store import Key, Store
from insight_operator.queue import WorkQueue

_LOG_IN_AGAIN_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Memo:
    """What handlers share."""

    store: Store
    queue: WorkQueue[Key]


async def changed(event: Any, memo: Memo, **_: object) -> None:
    """Wake the InsightEngines for which a watch event is news."""
    for key in memo.store.note(event["type"], event["object"]):
        memo.queue.add(key)


def registry(log_in: Callable[[], Login] = find) -> kopf.OperatorRegistry:
    """Return the handlers: one per watched kind, and the login of the watches."""
    made = kopf.OperatorRegistry()
    for kind in kinds.WATCHED:
        kopf.on.event(kind.group, kind.version, kind.plural, registry=made, id=kind.plural)(changed)

    logins = itertools.count()

    @kopf.on.login(registry=made)
    async def login(**_: object) -> kopf.AiohttpSession:
        # A refused watch makes kopf close the session it was given and ask for another one: so it gets one of
        # its own, with the token as it is now, and no faster than a server that refuses us can bear.
        if next(logins):
            await asyncio.sleep(_LOG_IN_AGAIN_S)
        found = log_in()
        return kopf.AiohttpSession(
            server=found.server, aiohttp_session=open_session(found), default_namespace=found.namespace
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
