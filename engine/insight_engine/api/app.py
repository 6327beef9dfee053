"""Makes the ASGI application: middleware outside in, routes, and the services' lifetime."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from insight_engine.api.middleware import AccessLogMiddleware, BodyLimitMiddleware, CorrelationIDMiddleware
from insight_engine.api.openapi import describe
from insight_engine.api.problems import FaultMiddleware, install
from insight_engine.api.routes import auth, datasources, health, queries, results, sql
from insight_engine.api.streams import Slots
from insight_engine.domain.errors import Unavailable
from insight_engine.telemetry import get_logger
from insight_engine.wiring import Api

FORGET_S: Final = 0.5
MAX_EVENT_STREAMS: Final = 512
MAX_DOWNLOADS: Final = 16
"""Per process; each holds a few chunks in memory."""

Services = Callable[[], AbstractAsyncContextManager[Api]]


class Application:
    """The ASGI application, and a way to tell it that its server is about to stop."""

    def __init__(self, served: ASGIApp, inner: FastAPI) -> None:
        self._served, self._inner = served, inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve."""
        await self._served(scope, receive, send)

    def leave(self) -> None:
        """Answer at once whoever waits for a query, and end the streams of events."""
        services: Api | None = getattr(self._inner.state, "services", None)
        if services is not None:
            services.queries.leaving.set()


def create_app(services: Services) -> Application:
    """The application; `services` is entered when the server starts and left when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with services() as api:
            app.state.services = api
            app.state.event_slots, app.state.download_slots = Slots(MAX_EVENT_STREAMS), Slots(MAX_DOWNLOADS)
            forgetting = asyncio.create_task(_forget_rung(api))
            try:
                yield
            finally:
                forgetting.cancel()

    # No pages of documentation: they would load scripts from strangers.
    app = FastAPI(
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    install(app)
    for group in (auth, datasources, sql, queries, results, health):
        app.include_router(group.router)
    _serve_description(app)
    surrounded = CorrelationIDMiddleware(AccessLogMiddleware(BodyLimitMiddleware(FaultMiddleware(app))))
    return Application(surrounded, app)


def _serve_description(app: FastAPI) -> None:
    @app.get("/openapi.json", tags=["health"])
    async def openapi() -> dict[str, Any]:
        """This document."""
        return describe(app)


async def _forget_rung(api: Api) -> None:
    while True:
        await asyncio.sleep(FORGET_S)
        try:
            await api.queries.forget_rung()
        except Unavailable:
            continue
        except Exception:  # noqa: BLE001 - the next round may succeed
            get_logger("api").exception("Failed to clear the outbox")
