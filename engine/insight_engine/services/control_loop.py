"""The part of a worker process that answers the API beside its query slots: claims requests, one per thread.

Woken by the bell, polling when it is silent. Requests that do not fit stay in the store for other workers.
"""

import asyncio
import random
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, Protocol
from uuid import UUID

from asgi_correlation_id.context import correlation_id

from insight_engine.domain.control import ControlAnswer, ControlCall, ControlKind, ControlRequest
from insight_engine.domain.errors import Unavailable
from insight_engine.metrics import CONTROL_REQUESTS, CONTROL_SECONDS
from insight_engine.ports import ControlBell, ControlRequests, Wakeups
from insight_engine.services.control_messages import failed
from insight_engine.services.control_work import ControlWork
from insight_engine.services.foreign_cancel import ForeignCancel
from insight_engine.telemetry import get_logger

POLL_S: Final = 1.0
LEASE_S: Final = 4.0
EXTEND_S: Final = 1.0
AT_ONCE: Final = 2
CANCELS_AT_ONCE: Final = 4
OWNER_FIRST_S: Final = 0.08
"""Seconds that the process which runs a query has for ending it itself, before any other does."""
DEADLINE_S: Final = 60.0
_WORK: Final = (ControlKind.EXPLAIN, ControlKind.TEST, ControlKind.SCHEMA, ControlKind.REFRESH)
_CANCEL: Final = (ControlKind.CANCEL,)


class OwnQueries(Protocol):
    """The queries that this process runs."""

    def owns(self, query_id: UUID) -> bool:
        """Whether it runs here."""
        ...

    async def cancel(self, query_id: UUID) -> None:
        """End it as cancelled; returns once its row says so. Nothing when it does not run here."""
        ...


class ControlLoop:
    """Answers control requests until stopped."""

    def __init__(
        self,
        worker: str,
        requests: ControlRequests,
        bell: ControlBell,
        wakeups: Wakeups,
        work: ControlWork,
        own: OwnQueries,
        foreign: ForeignCancel,
    ) -> None:
        self._worker, self._requests, self._bell, self._wakeups = worker, requests, bell, wakeups
        self._work, self._own, self._foreign = work, own, foreign
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: dict[UUID, ControlKind] = {}
        self._resting = False

    def rest(self) -> None:
        """Take no more requests but to end this process's own queries."""
        self._resting = True

    async def run_forever(self) -> None:
        """Answer; never ends by itself, whatever fails."""
        extending = asyncio.create_task(self._extend_forever())
        try:
            while True:
                await self._round(await self._bell.heard(POLL_S * random.uniform(0.8, 1.2)))
        finally:
            for task in (extending, *self._tasks):
                task.cancel()
            await asyncio.gather(extending, *self._tasks, return_exceptions=True)

    async def _round(self, call: ControlCall | None) -> None:
        if call is not None and call.query_id is not None:
            self._start(self._cancel_heard(call.request_id, call.query_id))
            return
        try:
            await self._claim_what_fits()
        except Unavailable:
            return
        except Exception:  # noqa: BLE001 - a loop that stops would never answer again
            get_logger("control").exception("Failed to look for control requests")

    async def _claim_what_fits(self) -> None:
        for kinds, limit, min_age_s in ((_CANCEL, CANCELS_AT_ONCE, OWNER_FIRST_S), (_WORK, AT_ONCE, 0.0)):
            while not self._resting and self._busy(kinds) < limit:
                request = await self._requests.claim(
                    kinds, min_age_s=min_age_s, worker=self._worker, lease_s=LEASE_S
                )
                if request is None:
                    break
                self._take(request)

    def _busy(self, kinds: tuple[ControlKind, ...]) -> int:
        return sum(kind in kinds for kind in self._held.values())

    async def _cancel_heard(self, request_id: UUID, query_id: UUID) -> None:
        if self._own.owns(query_id):
            ending = asyncio.create_task(self._own.cancel(query_id))  # before any question to the store
            request = await self._claim_one(request_id)
            await ending
            if request is not None:
                await self._finish(request, ControlAnswer({"ended": True}))
            return
        await asyncio.sleep(OWNER_FIRST_S * random.uniform(1.0, 1.3))
        if not self._resting and (request := await self._claim_one(request_id)) is not None:
            await self._do(request)

    async def _claim_one(self, request_id: UUID) -> ControlRequest | None:
        with suppress(Unavailable):  # polling finds it again
            request = await self._requests.claim_one(request_id, worker=self._worker, lease_s=LEASE_S)
            if request is not None:
                self._held[request.id] = request.kind
            return request
        return None

    def _take(self, request: ControlRequest) -> None:
        self._held[request.id] = request.kind
        self._start(self._do(request))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _do(self, request: ControlRequest) -> None:
        token = correlation_id.set(request.correlation_id or None)
        started = time.monotonic()
        try:
            async with asyncio.timeout(DEADLINE_S):
                answer = await self._answer(request)
            await self._finish(request, answer)
            CONTROL_SECONDS.labels(request.kind.value).observe(time.monotonic() - started)
        except (Unavailable, TimeoutError):
            # Its lease runs out, so that another worker takes it while it is still wanted.
            CONTROL_REQUESTS.labels(request.kind.value, "given_up").inc()
            get_logger("control").warning("Gave up a control request", kind=request.kind.value)
        finally:
            self._held.pop(request.id, None)
            correlation_id.reset(token)

    async def _answer(self, request: ControlRequest) -> ControlAnswer:
        if request.kind is not ControlKind.CANCEL:
            return await self._work.answer(request)
        query_id = UUID(request.payload["query_id"])
        if self._own.owns(query_id):
            await self._own.cancel(query_id)
            return ControlAnswer({"ended": True})
        try:
            return ControlAnswer({"ended": await self._foreign.end(query_id, request.datasource)})
        except Unavailable:
            raise
        except Exception as error:
            if (answer := failed(error)) is not None:
                return answer
            raise

    async def _finish(self, request: ControlRequest, answer: ControlAnswer) -> None:
        try:
            stored = await self._requests.answer(request.id, answer, worker=self._worker)
        finally:
            self._held.pop(request.id, None)
        outcome = (answer.error_code or "ok") if stored else "late"
        CONTROL_REQUESTS.labels(request.kind.value, outcome).inc()
        await self._wakeups.announce(request.id)
        get_logger("control").info(
            "Answered a control request",
            kind=request.kind.value,
            datasource=request.datasource,
            outcome=outcome,
        )

    async def _extend_forever(self) -> None:
        while True:
            await asyncio.sleep(EXTEND_S)
            if self._held:
                with suppress(Unavailable):
                    await self._requests.extend(list(self._held), worker=self._worker, lease_s=LEASE_S)


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Unavailable:
        get_logger("control").warning("Gave up a control request: the database is away")
    except Exception:  # noqa: BLE001 - the loop must live
        get_logger("control").exception("Failed a control request by a fault of the engine")
