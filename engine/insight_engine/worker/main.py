"""Builds and runs the Celery worker. Celery only carries ids here: what they mean is decided by the store."""

import gc
import os
import threading
from typing import Any, Final
from uuid import UUID

from asgi_correlation_id.context import correlation_id
from celery import Celery, signals
from prometheus_client.multiprocess import mark_process_dead

from insight_engine.adapters.queue.broker import celery_app
from insight_engine.adapters.queue.message import CORRELATION_HEADER, QUEUE, TASK
from insight_engine.domain.ids import is_correlation_id
from insight_engine.runtime import RunFolder
from insight_engine.settings import Settings
from insight_engine.telemetry import get_logger
from insight_engine.worker.child import Child

LAST_RESORT_S: Final = 5.0


class QueryWorker:
    """The parent of the pool."""

    def __init__(self, settings: Settings, folder: RunFolder) -> None:
        self._settings, self._folder = settings, folder
        self._child: Child | None = None
        self._worker: Any = None
        self._app = celery_app(settings)
        self._register(self._app)

    def _register(self, app: Celery) -> None:
        app.task(name=TASK, bind=True)(self._task())
        # weak=False: Celery would forget bound methods that nothing else holds.
        signals.setup_logging.connect(_keep_logging, weak=False)
        signals.worker_process_init.connect(self._start_child, weak=False)
        signals.worker_process_shutdown.connect(self._stop_child, weak=False)
        signals.worker_ready.connect(self._consumer_ready, weak=False)
        signals.worker_shutting_down.connect(self._shutting_down, weak=False)

    def _task(self) -> Any:
        def run(task: Any, query_id: str) -> None:
            if self._child is None:
                raise RuntimeError("A task reached a process that is no pool child")
            given = (task.request.headers or {}).get(CORRELATION_HEADER) or task.request.get(
                CORRELATION_HEADER
            )
            token = correlation_id.set(given if given and is_correlation_id(given) else None)
            try:
                self._child.ring(UUID(query_id))
            finally:
                correlation_id.reset(token)

        return run

    def _start_child(self, **_: Any) -> None:
        self._child = Child(self._settings, self._folder)
        self._child.start()

    def _stop_child(self, pid: int | None = None, **_: Any) -> None:
        if self._child is not None and pid == os.getpid():
            self._child.drain()
            mark_process_dead(pid, str(self._folder.metrics))  # type: ignore[no-untyped-call]

    def rest(self) -> None:
        """Take no more work, and stay: what runs ends. From any thread; may be called again."""
        if not self._folder.resting:
            get_logger("worker").info("Taking no more queries")
        self._folder.mark_resting()
        self._consumer_ready()

    def _consumer_ready(self, **_: Any) -> None:
        # Called again after a new connection; the queue stays deselected, so that is harmless.
        consumer = getattr(self._worker, "consumer", None)
        if consumer is not None and self._folder.resting and QUEUE in self._app.amqp.queues.consume_from:
            consumer.call_soon(consumer.cancel_task_queue, QUEUE)

    def _shutting_down(self, **_: Any) -> None:
        get_logger("worker").info("Draining", within_s=self._settings.drain_timeout_s)
        self._folder.mark_draining()
        # Queries are handed back by then; a child that hangs must not outlive the pod's grace period.
        last_resort = threading.Timer(self._settings.drain_timeout_s + LAST_RESORT_S, os._exit, (1,))
        last_resort.daemon = True
        last_resort.start()

    def run(self) -> int:
        """Work until told to stop; the exit code."""
        self._worker = worker = self._app.Worker(
            pool="prefork",
            concurrency=self._settings.worker_concurrency,
            quiet=True,
            without_heartbeat=not self._settings.worker_events,
            without_gossip=True,
            without_mingle=True,
            loglevel=self._settings.log_level,
        )
        # The children share what is loaded now; a collector that visits it would write on every page of it.
        gc.freeze()
        worker.start()
        return int(worker.exitcode or 0)


def _keep_logging(**_: Any) -> None:
    """Being connected is enough: Celery then leaves logging as it is."""
