"""One operator process from start to end: first look, workers, watches, later looks, quick exit."""

import asyncio
import contextlib
import os
import secrets
import socket
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

import kopf
import structlog

from insight_operator import retry, telemetry
from insight_operator.cluster import kinds, login
from insight_operator.cluster.client import Client
from insight_operator.cluster.errors import ClusterError, Unreachable
from insight_operator.cluster.store import Key
from insight_operator.cluster.tap import Tap
from insight_operator.events import Recorder
from insight_operator.handlers import watching
from insight_operator.handlers.guard import Guard
from insight_operator.handlers.looks import Lookout
from insight_operator.metrics import Metrics
from insight_operator.observe import Observer
from insight_operator.queue import Outcome, WorkQueue
from insight_operator.reconcile import Reconciler, is_new
from insight_operator.settings import Settings
from insight_operator.snapshot import Manifest

_KNOCK_S = 1.0
_log = structlog.get_logger("insight_operator")


class Process:
    """The parts of one running operator."""

    def __init__(self, settings: Settings, client: Client, metrics: Metrics) -> None:
        namespaces = settings.namespaces or (client.login.namespace,)
        self.namespaces = namespaces
        self.health = telemetry.Health()
        self.metrics = metrics
        self.client = client
        self.observer = Observer(client, namespaces)
        self.queue: WorkQueue[Key] = WorkQueue(self.work, settings.concurrency)
        self._resync_s = settings.resync_s
        self._lookout: Lookout | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        recorder = Recorder(client, _now, os.environ.get("HOSTNAME") or socket.gethostname())
        self._reconciler = Reconciler(
            client, self.observer, recorder, settings.images, _now, secrets.token_bytes, settings.overlays
        )
        metrics.show(self.observer.store.resources, self.observer.pulse.ages)

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
        self.wake(set(await self._first_look()))
        handlers = watching.registry(Tap(kinds.ENGINE, self.observer.pulse, self._relisted))

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
            clusterwide=self.observer.everywhere,
            memo=watching.Memo(self.observer.store, self.wake),
        )

    def wake(self, keys: set[Key]) -> None:
        """Ask for a pass for each of these InsightEngines; those that show no status yet come first."""
        if keys and self._lookout is not None:
            self._lookout.rhythm.stir()
        for key in keys:
            resource = self.observer.resource(key)
            self.queue.add(key, urgent=resource is not None and is_new(resource))

    async def _first_look(self) -> list[Key]:
        while True:
            began = time.process_time()
            try:
                await self.observer.sync()
            except Unreachable as error:
                _log.warning("Waiting for the API server", error=str(error))
                await asyncio.sleep(_KNOCK_S)
                continue
            cost_s = time.process_time() - began
            self._lookout = Lookout(self.observer, self.wake, self._restless, self._resync_s, cost_s)
            return self.observer.store.engines()

    def _begin(self) -> None:
        self.queue.start()
        for number, reflection in enumerate(self.observer.reflections(self.wake)):
            self._spawn(reflection, f"reflector {number}")
        if self._lookout is not None:
            self._spawn(self._lookout.run(), "lookout")
        self._spawn(Guard(self.observer.pulse, self.health, self.client.answers).run(), "guard")
        self.health.ready = True
        _log.info("Started", namespaces=self.namespaces, engines=len(self.observer.store.engines()))

    def _relisted(self, namespace: str) -> None:
        """Look at the list ourselves when kopf lost its place: it tells nobody what was deleted meanwhile."""
        self._spawn(self._look_at_engines(namespace), "engines")

    async def _look_at_engines(self, namespace: str) -> None:
        try:
            self.wake(await self.observer.look_at(kinds.ENGINE, namespace))
        except ClusterError as error:
            _log.warning("Look at InsightEngines failed", error=str(error))

    def _restless(self) -> set[Key]:
        """Return the InsightEngines that are not Ready: a Secret may be what they wait for."""
        return {
            (resource["metadata"]["namespace"], resource["metadata"]["name"])
            for resource in self.observer.store.resources()
            if not is_ready(resource)
        }

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
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _complain(self, key: Key, error: Exception) -> None:
        namespace, name = key
        log = _log.bind(namespace=namespace, engine=name)
        if retry.is_defect(error):
            log.error("Pass failed", error=str(error), exc_info=error)
        else:
            log.warning("Pass ended early", error=str(error))


async def run(settings: Settings) -> None:
    """Run one operator. Raises ClusterError, or OSError when the health port is taken."""
    metrics = Metrics()
    client = Client(login.find(), metrics.wrote)
    try:
        process = Process(settings, client, metrics)
        server = telemetry.serve(settings.listen, process.health, metrics)
        with contextlib.closing(server.socket):
            await process.run()
    finally:
        await client.close()


def is_ready(resource: Manifest) -> bool:
    """Tell whether an InsightEngine's status says that it is Ready."""
    conditions = (resource.get("status") or {}).get("conditions", ())
    return any(found["type"] == "Ready" and found["status"] == "True" for found in conditions)


def _now() -> datetime:
    return datetime.now(UTC)
