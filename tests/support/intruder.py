"""A proxy before a real API server that runs a hook once the k-th write is done and before it is answered.

So a process can be killed at exactly the moment when the server knows of a write and the writer does not.
"""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from insight_operator.cluster import login

_HOP = {"host", "connection", "transfer-encoding", "content-length", "accept-encoding"}


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Connections of a killed process break: that is what this is for."""


class Intruder:
    """Counts writes; calls `hook` once, at write number `at`."""

    def __init__(self, kubeconfig: Path, at: int, hook: Callable[[], None]) -> None:
        self._login = login.from_kubeconfig(kubeconfig)
        self._hook = hook
        self._at = at
        self._count = 0
        self._lock = threading.Lock()
        self.struck = threading.Event()

    @contextmanager
    def serve(self) -> Iterator[str]:
        """Serve on a free loopback port while the block runs; give the URL."""
        intruder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def relay(self) -> None:
                intruder.relay(self)

            def log_message(self, *_: object) -> None:
                """Tests read the audit log instead."""

        for method in ("GET", "POST", "PATCH", "DELETE"):
            setattr(Handler, f"do_{method}", Handler.relay)

        server = _QuietServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            server.server_close()

    def relay(self, handler: BaseHTTPRequestHandler) -> None:
        """Carry one request to the API server and its answer back, chunk by chunk."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        headers = {key: value for key, value in handler.headers.items() if key.lower() not in _HOP}
        target = urlsplit(self._login.server)
        upstream = http.client.HTTPSConnection(target.hostname or "", target.port, context=self._login.tls)
        try:
            upstream.request(handler.command, handler.path, body or None, headers)
            answer = upstream.getresponse()
            if handler.command != "GET":
                self._strike()
            handler.send_response(answer.status)
            handler.send_header("Content-Type", answer.getheader("Content-Type") or "")
            handler.send_header("Transfer-Encoding", "chunked")
            handler.end_headers()
            while chunk := answer.read1(65536):
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            handler.wfile.write(b"0\r\n\r\n")
        except OSError:
            handler.close_connection = True
        finally:
            upstream.close()

    def _strike(self) -> None:
        with self._lock:
            self._count += 1
            if self._count == self._at:
                self._hook()
                self.struck.set()


def kubeconfig_through(url: str, original: Path, path: Path) -> Path:
    """Write a kubeconfig with the original's login that goes through the proxy."""
    document = yaml.safe_load(original.read_text())
    document["clusters"][0]["cluster"] = {"server": url}
    path.write_text(yaml.safe_dump(document))
    return path
