"""Port 9090, inside the cluster only: metrics of every process of this command, the pod's health and load.

A thread of the parent process. It reads files that the children write and never asks a dependency itself,
so it answers at once whatever is broken.
"""

import hmac
import json
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from insight_engine.domain.errors import ConfigurationError
from insight_engine.load import load_of
from insight_engine.runtime import RunFolder, alive
from insight_engine.telemetry import get_logger

LIVE_WITHIN_S: Final = 30.0
READY_WITHIN_S: Final = 15.0
JSON: Final = "application/json"


def live(folder: RunFolder) -> bool:
    """No process of ours has stopped ticking. Children that have not begun to tick are starting."""
    return all(tick["age"] < LIVE_WITHIN_S for tick in folder.ticks())


def ready(folder: RunFolder) -> bool:
    """Some process of ours can do its work."""
    return not folder.resting and any(
        tick["age"] < READY_WITHIN_S and tick.get("ready", False) for tick in folder.ticks()
    )


def metrics_of(folder: RunFolder) -> bytes:
    """The metrics of all processes; what a killed one was just doing is not counted as going on."""
    for file in folder.metrics.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        if pid.isdigit() and not alive(int(pid)):
            mark_process_dead(int(pid), str(folder.metrics))  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder.metrics))  # type: ignore[no-untyped-call]
    return generate_latest(registry)


@dataclass(frozen=True, slots=True)
class Drain:
    """How this pod is told to take no more work, and who may tell it.

    Attributes:
        token: reads the token that the caller must show; None when none is mounted.
        begin: stops taking work; returns at once, may be called again.
    """

    token: Callable[[], str | None]
    begin: Callable[[], None]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log a fault as everything else is logged; a caller that hung up, as a late probe does, is none."""
        del request, client_address
        if not isinstance(sys.exception(), OSError):
            get_logger("internal").exception("Failed to answer")


class InternalServer:
    """Serves metrics, health and load until the process ends."""

    def __init__(self, folder: RunFolder, port: int, host: str = "", drain: Drain | None = None) -> None:
        handler = type("Handler", (_Handler,), {"folder": folder, "drain": drain})
        self._server = _Server((host, port), handler)

    def start(self) -> None:
        """Serve in the background."""
        threading.Thread(target=self._server.serve_forever, name="internal", daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    folder: RunFolder
    drain: Drain | None
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self) -> None:
        """Answer one of four paths."""
        if self.path == "/metrics":
            self._send(200, metrics_of(self.folder), CONTENT_TYPE_LATEST)
        elif self.path in {"/health/live", "/health/ready"}:
            well = (live if self.path == "/health/live" else ready)(self.folder)
            self._send_json(200 if well else 503, {"status": "ok" if well else "down"})
        elif self.path == "/internal/load":
            self._send_json(200, load_of(self.folder))
        else:
            self._send(404, b"", "text/plain")

    def do_POST(self) -> None:
        """Drain, for whoever shows the token."""
        self.close_connection = True  # whatever body came is left unread
        if self.path != "/internal/drain" or self.drain is None:
            self._send(404, b"", "text/plain")
            return
        try:
            token = self.drain.token()
        except ConfigurationError as error:
            get_logger("internal").error("Cannot read the token of /internal/drain", reason=error.message)
            token = None
        if not token:
            self._send_json(403, {"code": "no_token", "detail": "Mount the secret set internal: token."})
        elif not self._shows(token):
            self._send_json(401, {"code": "token_invalid", "detail": "Authorization: Bearer <token>"})
        else:
            self.drain.begin()
            self._send_json(200, load_of(self.folder))

    def _shows(self, token: str) -> bool:
        given = self.headers.get("Authorization", "").encode("latin-1", "replace")
        return hmac.compare_digest(given, b"Bearer " + token.encode())

    def _send_json(self, status: int, body: dict[str, Any]) -> None:
        self._send(status, json.dumps(body).encode(), JSON)

    def _send(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Probes are not worth a line."""
