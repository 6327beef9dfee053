"""gunicorn, configured in code: its native ASGI worker, files only in the run folder, our JSON logs."""

import gc
import logging
from typing import Any, Final

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from prometheus_client.multiprocess import mark_process_dead

from insight_engine.internal import InternalServer
from insight_engine.runtime import RunFolder
from insight_engine.settings import Settings

GRACEFUL_S: Final = 30
KEEPALIVE_S: Final = 75
"""Longer than the idle time of the usual load balancers, so that they close first."""


class JsonLogger(Logger):  # type: ignore[misc]
    """gunicorn's messages through our handler; its access log is ours already."""

    def setup(self, cfg: Any) -> None:
        """Replace its handlers by propagation to the root."""
        del cfg
        self.error_log.propagate = True
        self.error_log.setLevel(logging.INFO)
        self.access_log.disabled = True


class GunicornServer(BaseApplication):  # type: ignore[misc]
    """Serves one ASGI application in several processes."""

    def __init__(
        self, application: Any, settings: Settings, folder: RunFolder, port: int, internal: InternalServer
    ) -> None:
        self._application, self._settings = application, settings
        self._folder, self._port, self._internal = folder, port, internal
        super().__init__()

    def load_config(self) -> None:
        """Set what differs from gunicorn's defaults."""
        chosen = {
            "bind": f"0.0.0.0:{self._port}",
            "workers": self._settings.api_processes,
            "worker_class": "insight_engine.cli.gunicorn_worker.PromptWorker",
            "asgi_lifespan": "on",
            "asgi_loop": "uvloop",
            "preload_app": True,
            "graceful_timeout": GRACEFUL_S,
            "keepalive": KEEPALIVE_S,
            "worker_tmp_dir": str(self._folder.path),
            "tmp_upload_dir": str(self._folder.path),
            "control_socket_disable": True,
            "logger_class": JsonLogger,
            "when_ready": self._before_forking,
            "child_exit": self._forget_child,
        }
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def _before_forking(self, _arbiter: Any) -> None:
        self._internal.start()
        # The children share what is loaded now; a collector that visits it would write on every page of it.
        gc.freeze()

    def _forget_child(self, _arbiter: Any, worker: Any) -> None:
        mark_process_dead(worker.pid, str(self._folder.metrics))  # type: ignore[no-untyped-call]

    def load(self) -> Any:
        """The application."""
        return self._application
