"""Registers what kopf watches: InsightEngines. Children and pods are followed by `cluster/reflector.py`."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import kopf

from insight_operator.cluster import kinds
from insight_operator.cluster.client import open_session
from insight_operator.cluster.login import Login, find
from insight_operator.cluster.pulse import SILENCE_S
from insight_operator.cluster.store import Key, Store
from insight_operator.cluster.tap import Tap

_LOG_IN_AGAIN_S: Final = 1.0
_LONGEST_WAIT_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Memo:
    """What handlers share: what was seen, and whom to tell of news."""

    store: Store
    wake: Callable[[set[Key]], None]


class Patience:
    """Waits between two tries of a request, without end: kopf ends the process when they are used up."""

    def __iter__(self) -> Iterator[float]:
        """Return the waits in seconds: 1, 2, 4, 8, and 15 from then on."""
        return (min(2.0**number, _LONGEST_WAIT_S) for number in itertools.count())


async def changed(event: Any, memo: Memo, **_: object) -> None:
    """Wake the InsightEngines for which a watch event is news."""
    memo.wake(memo.store.note(event["type"], event["object"]))


def registry(tap: Tap, log_in: Callable[[], Login] = find) -> kopf.OperatorRegistry:
    """Return the handlers: the watch of InsightEngines, overheard by `tap`, and its login."""
    made = kopf.OperatorRegistry()
    kind = kinds.ENGINE
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
            server=found.server, aiohttp_session=open_session(found, tap), default_namespace=found.namespace
        )

    return made


def settings() -> kopf.OperatorSettings:
    """Return kopf's settings: write nothing, look for no other kinds or namespaces, never give up."""
    made = kopf.OperatorSettings()
    made.scanning.disabled = True
    made.posting.enabled = False
    made.peering.standalone = True
    made.queueing.worker_limit = None
    made.networking.request_timeout = 30
    made.networking.connect_timeout = 5
    made.networking.error_backoffs = Patience()
    made.watching.inactivity_timeout = SILENCE_S
    made.process.ultimate_exiting_timeout = 10
    return made
