"""Port 9090 of a worker, as an autoscaler asks it."""

from typing import Any

import httpx

from support.engines import Service
from support.waiting import eventually

TOKEN = "an-internal-token-of-some-length"


def internal(service: Service, path: str, port: int | None = None) -> str:
    return f"http://127.0.0.1:{port or service.home.worker_internal}{path}"


def drain(service: Service, token: str | None, port: int | None = None) -> httpx.Response:
    headers = {} if token is None else {b"Authorization": token.encode("latin-1")}
    return httpx.post(internal(service, "/internal/drain", port), headers=headers, timeout=5)


def figures(service: Service) -> dict[str, Any]:
    """The load once the store was read and every place takes work."""

    def known() -> dict[str, Any] | None:
        load = service.home.load()
        return load if load["slots"] == 2 and not load["stale"] else None

    return eventually("the load is known", known, 20)
