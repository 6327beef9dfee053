"""What the instance says about itself. Public: says nothing that is not in the contract."""

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from insight_engine import __version__
from insight_engine.api.deps import ApiDep, HealthDep
from insight_engine.api.schemas import Check, HealthAnswer, Version

router = APIRouter(tags=["health"])


@router.get(
    "/health",
    response_model=HealthAnswer,
    responses={503: {"model": HealthAnswer, "description": "The database is away."}},
)
async def health(services: ApiDep, health: HealthDep) -> Response:
    """Ok and degraded are 200, as the instance answers queries in both; down is 503."""
    found = await health.check()
    body = {
        "status": found.status,
        "checks": {
            "database": {"status": "ok" if found.database else "down"},
            "broker": {"status": "ok" if found.broker else "down"},
        },
        "version": __version__,
        "instance": services.settings.instance,
    }
    return JSONResponse(body, 503 if found.status == "down" else 200)


@router.get("/health/live")
async def live() -> Check:
    """The process answers. No dependency counts: restarting would cure none."""
    return Check(status="ok")


@router.get(
    "/health/ready",
    response_model=Check,
    responses={503: {"model": Check, "description": "The database is away."}},
)
async def ready(health: HealthDep) -> Response:
    """Whether requests should be sent here: the database answers."""
    found = await health.check()
    return JSONResponse({"status": "ok" if found.database else "down"}, 200 if found.database else 503)


@router.get("/version")
async def version() -> Version:
    """The release that answers."""
    return Version(version=__version__)
