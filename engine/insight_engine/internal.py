"""Port 9090, inside the cluster only: metrics of every process of this command, and the pod's health.

A thread of the parent process. It reads files that the children write and never asks a dependency itself,
so it answers at once whatever is broken.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from insight_engine.runtime import RunFolder

LIVE_WITHIN_S: Final = 30.0
READY_WITHIN_S: Final = 15.0


def live(folder: RunFolder) -> bool:
    """No process of ours has stopped ticking. Children that have not begun to tick are starting."""
    return all(tick["age"] < LIVE_WITHIN_S for tick in folder.ticks())


def ready(folder: RunFolder) -> bool:
    """Some process of ours can do its work."""
    return not folder.draining and any(
        tick["age"] < READY_WITHIN_S and tick.get("ready", False) for tick in folder.ticks()
    )


class InternalServer:
    """Serves metrics and health until the process ends."""

    def __init__(self, folder: RunFolder, port: int, host: str = "") -> None:
        handler = type("Handler", (_Handler,), {"folder": folder})
        self._server = ThreadingHTTPServer((host, port), handler)
        self._server.daemon_threads = True

    def start(self) -> None:
        """Serve in the background."""
        threading.Thread(target=self._server.serve_forever, name="internal", daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    folder: RunFolder
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self) -> None:
        """Answer one of three paths."""
        if self.path == "/metrics":
            registry = CollectorRegistry()
            MultiProcessCollector(registry, str(self.folder.metrics))  # type: ignore[no-untyped-call]
            self._send(200, generate_latest(registry), CONTENT_TYPE_LATEST)
        elif self.path in {"/health/live", "/health/ready"}:
            well = (live if self.path == "/health/live" else ready)(self.folder)
            body = json.dumps({"status": "ok" if well else "down"}).encode()
            self._send(200 if well else 503, body, "application/json")
        else:
            self._send(404, b"", "text/plain")

    def _send(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Probes are not worth a line."""
