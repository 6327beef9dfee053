"""Makes the ASGI application: middleware outside in, routes, and the services' lifetime."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from fastapi import FastAPI
from starlette.types import ASGIApp

from insight_engine.api.middleware import AccessLogMiddleware, BodyLimitMiddleware, CorrelationIDMiddleware
from insight_engine.api.problems import FaultMiddleware, install
from insight_engine.api.routes import auth, health, queries
from insight_engine.domain.errors import Unavailable
from insight_engine.telemetry import get_logger
from insight_engine.wiring import Api

FORGET_S: Final = 0.5

Services = Callable[[], AbstractAsyncContextManager[Api]]


def create_app(services: Services) -> ASGIApp:
    """The application; `services` is entered when the server starts and left when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with services() as api:
            app.state.services = api
            forgetting = asyncio.create_task(_forget_rung(api))
            try:
                yield
            finally:
                forgetting.cancel()

    # No docs, no schema: what a caller may do is in the reference, not on every production host.
    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    install(app)
    for group in (auth, queries, health):
        app.include_router(group.router)
    return CorrelationIDMiddleware(AccessLogMiddleware(BodyLimitMiddleware(FaultMiddleware(app))))


async def _forget_rung(api: Api) -> None:
    while True:
        await asyncio.sleep(FORGET_S)
        try:
            await api.queries.forget_rung()
        except Unavailable:
            continue
        except Exception:  # noqa: BLE001 - the next round may succeed
            get_logger("api").exception("Failed to clear the outbox")
