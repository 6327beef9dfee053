"""How the operator can be watched: JSON logs, and a server of metrics and health that sees a blocked loop.

The server runs in a thread of its own, so that it still answers, with 503, when the loop no longer turns.
"""

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from insight_operator.metrics import Metrics

_BEAT_S = 0.5
_BLOCKED_S = 15.0
_SHARED: tuple[structlog.typing.Processor, ...] = (
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def configure_logging(level: str) -> None:
    """Write every log line of this process, libraries included, as one JSON object on stderr."""
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.root.handlers = [handler]
    logging.root.setLevel(level)
    logging.getLogger("kopf").setLevel(max(logging.WARNING, logging.getLevelName(level)))
    # It tells of every try of every request; that a watch cannot be had is told once, by us.
    logging.getLogger("kopf._cogs.clients.api").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


@dataclass
class Health:
    """What probes are answered from.

    Attributes:
        ready: whether the world was seen once and work goes on.
        deaf: whether a watch stays silent although the API server answers.
        beat_at: monotonic time of the event loop's last turn.
    """

    ready: bool = False
    deaf: bool = False
    beat_at: float = field(default_factory=time.monotonic)

    @property
    def alive(self) -> bool:
        """Whether the event loop turns and hears what happens."""
        return not self.deaf and time.monotonic() - self.beat_at < _BLOCKED_S


async def heartbeat(health: Health, metrics: Metrics, queue: Callable[[], tuple[int, float]]) -> None:
    """Show twice a second that the loop turns, how late it is and how much work waits; never ends."""
    while True:
        due = time.monotonic() + _BEAT_S
        await asyncio.sleep(_BEAT_S)
        health.beat_at = time.monotonic()
        metrics.lag.set(max(0.0, health.beat_at - due))
        metrics.queue(*queue())


def serve(address: tuple[str, int], health: Health, metrics: Metrics) -> ThreadingHTTPServer:
    """Serve /healthz, /readyz and /metrics from a thread. Raises OSError when the port is taken."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(HTTPStatus.OK, generate_latest(metrics.registry), CONTENT_TYPE_LATEST)
                return
            fine = {"/healthz": health.alive, "/readyz": health.alive and health.ready}.get(self.path)
            if fine is None:
                self._answer(HTTPStatus.NOT_FOUND, b"not found\n")
            elif fine:
                self._answer(HTTPStatus.OK, b"ok\n")
            else:
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"not ok\n")

        def _answer(self, status: HTTPStatus, body: bytes, kind: str = "text/plain") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Probes are not worth a line each."""

    server = ThreadingHTTPServer(address, Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
