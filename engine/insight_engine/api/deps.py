"""Dependencies of routes: the services, and the user behind the request."""

from typing import Annotated

from fastapi import Depends, Request

from insight_engine.domain.errors import refused_token
from insight_engine.domain.users import User
from insight_engine.services.auth import AuthService
from insight_engine.services.control import ControlService
from insight_engine.services.exports import ResultService
from insight_engine.services.health import HealthService
from insight_engine.services.queries import QueryService
from insight_engine.wiring import Api


async def _api(request: Request) -> Api:
    services: Api = request.app.state.services
    return services


ApiDep = Annotated[Api, Depends(_api)]


async def _auth(services: ApiDep) -> AuthService:
    return services.auth


async def _queries(services: ApiDep) -> QueryService:
    return services.queries


async def _results(services: ApiDep) -> ResultService:
    return services.results


async def _control(services: ApiDep) -> ControlService:
    return services.control


async def _health(services: ApiDep) -> HealthService:
    return services.health


async def _current_user(request: Request, services: ApiDep) -> User:
    """The user of the one bearer token in the Authorization header."""
    given = request.headers.getlist("authorization")
    if len(given) != 1:
        raise refused_token()
    scheme, _, token = given[0].partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise refused_token()
    return await services.auth.recognise(token)


AuthDep = Annotated[AuthService, Depends(_auth)]
QueriesDep = Annotated[QueryService, Depends(_queries)]
ResultsDep = Annotated[ResultService, Depends(_results)]
ControlDep = Annotated[ControlService, Depends(_control)]
HealthDep = Annotated[HealthService, Depends(_health)]
CurrentUser = Annotated[User, Depends(_current_user)]
