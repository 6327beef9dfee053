"""What surrounds every request: its correlation id, a log line, metrics, and a cap on what it may send.

Plain ASGI: a base class that buffers would break streaming and cost latency.
"""

import time
import uuid
from typing import Final

from asgi_correlation_id import CorrelationIdMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from insight_engine.api.problems import problem, problem_response
from insight_engine.domain.errors import TooLarge
from insight_engine.domain.ids import is_correlation_id
from insight_engine.metrics import REQUEST_SECONDS, REQUESTS
from insight_engine.telemetry import get_logger

CORRELATION_HEADER: Final = "X-Correlation-ID"
MAX_BODY_BYTES: Final = 256 * 1024
METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
QUIET_PATHS: Final = ("/health", "/health/live", "/health/ready")


def method_label(method: str) -> str:
    """The method for a metric: callers may invent methods, and each label value is kept for ever."""
    return method if method in METHODS else "other"


class CorrelationIDMiddleware:
    """Takes the caller's id when it is usable, else makes one; every log line and answer carries it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = CorrelationIdMiddleware(
            app,
            header_name=CORRELATION_HEADER,
            generator=lambda: uuid.uuid4().hex,
            validator=is_correlation_id,
            transformer=None,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve within the id."""
        await self._app(scope, receive, send)


class AccessLogMiddleware:
    """One log line and one observation per request; probes are not logged while they succeed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve and measure."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            _record(scope, status, time.perf_counter() - started)


def _record(scope: Scope, status: int, seconds: float) -> None:
    # The route's pattern, never the path: a path would make a label per query id.
    route = getattr(scope.get("route"), "path", "unmatched")
    REQUESTS.labels(method_label(scope["method"]), route, str(status)).inc()
    REQUEST_SECONDS.labels(route).observe(seconds)
    if route in QUIET_PATHS and status < 400:  # noqa: PLR2004
        return
    get_logger("access").info(
        "Served a request", method=scope["method"], route=route, status=status, seconds=round(seconds, 4)
    )


class BodyLimitMiddleware:
    """Refuses bodies over the cap, by their declared length or as soon as they pass it, and all but JSON."""

    def __init__(self, app: ASGIApp, max_bytes: int = MAX_BODY_BYTES) -> None:
        self._app, self._max = app, max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, counting what comes in."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self._max:
            await self._refuse(scope, receive, send)
            return
        body = await self._read(receive)
        if body is None:
            await self._refuse(scope, receive, send)
        elif body and scope["method"] == "POST" and not _is_json(headers.get(b"content-type", b"")):
            await _refuse_type(scope, receive, send)
        else:
            await self._app(scope, _replay(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        """The whole body, or None when it passes the cap."""
        parts, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            part = message.get("body", b"")
            size += len(part)
            if size > self._max:
                return None
            parts.append(part)
            more = message.get("more_body", False)
        return b"".join(parts)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = TooLarge(
            "body_too_large", f"The request body is over {self._max // 1024} KiB: send a smaller one."
        )
        await problem_response(error)(scope, receive, send)


def _is_json(content_type: bytes) -> bool:
    return content_type.partition(b";")[0].strip().lower() == b"application/json"


async def _refuse_type(scope: Scope, receive: Receive, send: Send) -> None:
    detail = "The body must be JSON and say so: send the header Content-Type: application/json."
    await problem(415, "unsupported_media_type", detail)(scope, receive, send)


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
