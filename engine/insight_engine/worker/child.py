"""A pool child: one event-loop thread that owns every connection, made after the fork, never before."""

import asyncio
import os
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import Final
from uuid import UUID

import uvloop

from insight_engine import wiring
from insight_engine.load import keep_figures
from insight_engine.runtime import RunFolder
from insight_engine.settings import Settings
from insight_engine.telemetry import get_logger

TICK_S: Final = 1.0
PROBE_EVERY: Final = 3
PROBE_S: Final = 2.0
RESTART_PAUSE_S: Final = 1.0
CLOSE_S: Final = 5.0
"""How long connections may take to close: a database that never answers holds up each for ten seconds."""


class Child:
    """Runs a worker's services in a thread and hands it the ids that Celery delivers."""

    def __init__(self, settings: Settings, folder: RunFolder) -> None:
        self._settings, self._folder = settings, folder
        self._ready: Future[wiring.Worker] = Future()
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._drained = threading.Event()
        self._thread = threading.Thread(target=self._run, name="worker-loop", daemon=True)

    def start(self) -> None:
        """Start the thread; returns at once."""
        self._thread.start()

    def ring(self, query_id: UUID) -> None:
        """Run that query, if it still waits; blocks until it ended."""
        slot = self._ready.result().slot
        asyncio.run_coroutine_threadsafe(slot.ring(query_id), self._loop).result()

    def drain(self) -> None:
        """Block until the running query ended or was handed back."""
        self._folder.mark_draining()
        self._drained.wait(self._settings.drain_timeout_s + TICK_S + PROBE_S)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except Exception as error:  # noqa: BLE001 - what waits for this thread must be told
            get_logger("worker").exception("Stopped a worker child by a fault")
            if not self._ready.done():
                self._ready.set_exception(error)
            if not self._folder.draining:
                # A process whose loop is gone would take work and do none: the pool makes a new one.
                self._drained.wait(RESTART_PAUSE_S)
                os._exit(1)
        finally:
            self._drained.set()

    async def _serve(self) -> None:
        async with wiring.worker(self._settings) as services:
            self._rest_if_told(services)
            self._ready.set_result(services)
            tasks = [
                asyncio.create_task(keep_figures(services.load, self._folder)),
                asyncio.create_task(self._poll(services)),
                asyncio.create_task(services.control.run_forever()),
                asyncio.create_task(services.housekeeper.run_forever()),
            ]
            ticking = asyncio.create_task(self._tick_until_draining(services))
            done, _ = await asyncio.wait((ticking, *tasks), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if ticking not in done:
                raise RuntimeError("A task that never ends has ended")
            await services.slot.drain(self._settings.drain_timeout_s)
            asyncio.get_running_loop().call_later(CLOSE_S, self._drained.set)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _poll(self, services: wiring.Worker) -> None:
        await services.slot.poll_forever()
        if self._folder.resting:  # its end is meant, and the process stays
            await asyncio.get_running_loop().create_future()

    async def _tick_until_draining(self, services: wiring.Worker) -> None:
        count, ready = 0, False
        while not self._folder.draining:
            resting = self._rest_if_told(services)
            if count % PROBE_EVERY == 0:
                ready = await _answers(services)
            slot = services.slot
            self._folder.tick(ready=ready, busy=slot.busy, since=slot.busy_since, resting=resting)
            count += 1
            await asyncio.sleep(TICK_S)

    def _rest_if_told(self, services: wiring.Worker) -> bool:
        """Take no more work once `/internal/drain` was asked for; whether it was."""
        resting = self._folder.resting
        if resting:
            services.slot.rest()
            services.control.rest()
        return resting


async def _answers(services: wiring.Worker) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(PROBE_S):
            return await services.database.healthy()
    return False
