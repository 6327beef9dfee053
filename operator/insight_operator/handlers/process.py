"""One operator process from start to end: first look, workers, watches, later looks, quick exit."""

import asyncio
import contextlib
import os
import random
import secrets
import socket
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

import kopf
import structlog

from insight_operator import retry, telemetry
from insight_operator.cluster import login
from insight_operator.cluster.client import Client
from insight_operator.cluster.errors import ClusterError, Unreachable
from insight_operator.cluster.store import Key
from insight_operator.events import Recorder
from insight_operator.handlers import watching
from insight_operator.observe import Observer
from insight_operator.queue import Outcome, WorkQueue
from insight_operator.reconcile import Reconciler
from insight_operator.settings import Settings

_KNOCK_S = 1.0
_log = structlog.get_logger("insight_operator")


class Process:
    """The parts of one running operator."""

    def __init__(self, settings: Settings, client: Client, metrics: telemetry.Metrics) -> None:
        namespaces = settings.namespaces or (client.login.namespace,)
        self.namespaces = namespaces
        self.health = telemetry.Health()
        self.metrics = metrics
        self.client = client
        self.observer = Observer(client, namespaces)
        self.queue: WorkQueue[Key] = WorkQueue(self.work, settings.concurrency)
        self._resync_s = settings.resync_s
        self._tasks: list[asyncio.Task[None]] = []
        recorder = Recorder(client, _now, os.environ.get("HOSTNAME") or socket.gethostname())
        self._reconciler = Reconciler(
            client, self.observer, recorder, settings.images, _now, secrets.token_bytes
        )

    async def work(self, key: Key) -> Outcome:
        """Do one pass for a key; count and log how it ended."""
        started, error = time.perf_counter(), None
        try:
            outcome = await self._reconciler.reconcile(key)
        except Exception as failure:  # noqa: BLE001 - the table in retry.py knows every kind
            error, outcome = failure, retry.judge(failure)
            self._complain(key, failure)
        self.metrics.passed(outcome.verdict, time.perf_counter() - started, error)
        if self.observer.resource(key) is None:
            self.queue.forget(key)
        return outcome

    async def run(self) -> None:
        """Run until a signal or an unrecoverable error. Raises ClusterError when the first look fails."""
        # Before anything that may wait for the API server: who waits is alive.
        beat = telemetry.heartbeat(self.health, self.metrics, lambda: (self.queue.depth, self.queue.age_s))
        self._spawn(beat, "heartbeat")
        await self._first_look()
        for key in self.observer.store.engines():
            self.queue.add(key)
        handlers = watching.registry()

        @kopf.on.startup(registry=handlers)
        async def start(**_: object) -> None:
            self._begin()

        @kopf.on.cleanup(registry=handlers)
        async def stop(**_: object) -> None:
            await self._end()

        await kopf.operator(
            registry=handlers,
            settings=watching.settings(),
            namespaces=self.observer.namespaces,
            memo=watching.Memo(self.observer.store, self.queue),
        )

    async def _first_look(self) -> None:
        while True:
            try:
                await self.observer.sync()
            except Unreachable as error:
                _log.warning("Waiting for the API server", error=str(error))
                await asyncio.sleep(_KNOCK_S)
            else:
                return

    def _begin(self) -> None:
        self.queue.start()
        self._spawn(self._resync(), "resync")
        self.health.ready = True
        _log.info("Started", namespaces=self.namespaces, engines=len(self.observer.store.engines()))

    async def _end(self) -> None:
        # kopf waits five seconds for tasks that nobody ended, and forgets one of its own for each watch
        # that was just connecting.
        self.health.ready = False
        forgotten = [task for task in asyncio.all_tasks() if task.get_name().startswith("pause-waiter")]
        for task in (*self._tasks, *forgotten):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.queue.stop()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.append(asyncio.create_task(work, name=name))

    async def _resync(self) -> None:
        """Look again at Secrets, which nothing watches, and at lists, in case a watch lost an event."""
        while True:
            await asyncio.sleep(self._resync_s * random.uniform(0.9, 1.1))
            try:
                for key in await self.observer.shelf.refresh() | await self.observer.sync():
                    self.queue.add(key)
            except ClusterError as error:
                _log.warning("Second look failed", error=str(error))
            except Exception as defect:  # noqa: BLE001 - nobody else repairs what a watch lost
                _log.error("Second look failed", error=str(defect), exc_info=defect)

    def _complain(self, key: Key, error: Exception) -> None:
        namespace, name = key
        log = _log.bind(namespace=namespace, engine=name)
        if retry.is_defect(error):
            log.error("Pass failed", error=str(error), exc_info=error)
        else:
            log.warning("Pass ended early", error=str(error))


async def run(settings: Settings) -> None:
    """Run one operator. Raises ClusterError, or OSError when the health port is taken."""
    metrics = telemetry.Metrics()
    client = Client(login.find(), metrics.wrote)
    try:
        process = Process(settings, client, metrics)
        server = telemetry.serve(settings.listen, process.health, metrics)
        with contextlib.closing(server.socket):
            await process.run()
    finally:
        await client.close()


def _now() -> datetime:
    return datetime.now(UTC)
