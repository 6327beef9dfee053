"""Makes the ASGI application: middleware outside in, routes, and the services' lifetime."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Final

from fastapi import FastAPI
from starlette.types import ASGIApp

from insight_engine.api.middleware import AccessLogMiddleware, BodyLimitMiddleware, CorrelationIDMiddleware
from insight_engine.api.problems import FaultMiddleware, install
from insight_engine.api.routes import auth, health, queries
from insight_engine.domain.errors import EngineError
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
        with suppress(EngineError):
            await api.queries.forget_rung()
