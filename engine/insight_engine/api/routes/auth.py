"""Logging in."""

from fastapi import APIRouter

from insight_engine.api.bodies import StrictRoute
from insight_engine.api.deps import AuthDep, CurrentUser
from insight_engine.api.openapi import BODY, problems
from insight_engine.api.schemas import Me, TokenAnswer, TokenRequest

router = APIRouter(prefix="/api/v1/auth", tags=["login"], route_class=StrictRoute)


@router.post("/token", responses=problems(*BODY, 429))
async def token(body: TokenRequest, auth: AuthDep) -> TokenAnswer:
    """Exchange a name and a password for an access token."""
    access_token, expires_in = await auth.login(body.username, body.password)
    return TokenAnswer(access_token=access_token, expires_in=expires_in)


@router.get("/me", responses=problems())
async def me(user: CurrentUser) -> Me:
    """Who the token stands for."""
    return Me(id=user.id, username=user.username, role=user.role.value)
