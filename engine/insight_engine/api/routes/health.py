"""What the instance says about itself. Public: says nothing that is not in the contract."""

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from insight_engine import __version__
from insight_engine.api.deps import ApiDep, HealthDep

router = APIRouter()


@router.get("/health")
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
async def live() -> dict[str, str]:
    """The process answers. No dependency counts: restarting would cure none."""
    return {"status": "ok"}


@router.get("/health/ready")
async def ready(health: HealthDep) -> Response:
    """Whether requests should be sent here: the database answers."""
    found = await health.check()
    return JSONResponse({"status": "ok" if found.database else "down"}, 200 if found.database else 503)


@router.get("/version")
async def version() -> dict[str, str]:
    """The release that answers."""
    return {"version": __version__}
