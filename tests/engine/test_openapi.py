"""The OpenAPI document is true: nothing is answered that it does not say, whatever is asked."""

import itertools
from collections.abc import Iterator
from typing import Any, cast

import pytest
import schemathesis
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from insight_engine.api.app import Services, create_app
from insight_engine.api.openapi import describe
from insight_engine.api.routes import auth, datasources, health, queries, results, sql
from support.engine_client import EngineClient
from support.engine_process import ADMIN, EngineHome

EXAMPLES = 12
LOGINS = 3
"""Fewer, as hashing a password is slow on purpose."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
DOCUMENT = describe(create_app(cast("Services", None))._inner)  # it is never started
OPERATIONS = [(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods]
MODES = [
    (method, path, mode)
    for method, path in OPERATIONS
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    # What takes nothing cannot be asked wrongly.
    if mode is GenerationMode.POSITIVE or "401" in DOCUMENT["paths"][path][method]["responses"]
]


@pytest.fixture(scope="module")
def client(embedded_home: tuple[EngineHome, str]) -> Iterator[EngineClient]:
    home, password = embedded_home
    client = EngineClient(home.url, ADMIN, password)
    yield client
    client.close()


@pytest.fixture(scope="module")
def known(client: EngineClient) -> list[str]:
    """Queries that are there: one with a result, one that failed, one that was cancelled."""
    slow = "SELECT count(*) FROM orders a, orders b, orders c WHERE a.id + b.id + c.id = 7"
    asked = [
        client.submit("sample", "SELECT id, '=x' AS x FROM orders"),
        client.submit("sample", "SELECT abs(-9223372036854775807 - id) FROM orders"),
        client.submit("sample", slow, wait_s=0, on_wait_timeout="cancel"),
    ]
    return [answer.json()["id"] for answer in asked]


def test_the_document_is_served_as_it_is_made(client: EngineClient) -> None:
    assert client.http.get("/openapi.json").json() == DOCUMENT


def test_every_route_is_in_the_document() -> None:
    groups = (auth, datasources, health, queries, results, sql)
    served = {
        (method.lower(), route.path_format)
        for group in groups
        for route in group.router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
    assert served == set(OPERATIONS) - {("get", "/openapi.json")}


def test_every_failure_is_described_as_a_problem() -> None:
    for method, path in OPERATIONS:
        if path.startswith("/health"):
            continue
        for status, answer in DOCUMENT["paths"][path][method]["responses"].items():
            if int(status) >= 400:
                assert list(answer["content"]) == ["application/problem+json"], (method, path, status)


def test_only_the_login_and_what_is_public_need_no_token() -> None:
    public = {path for method, path in OPERATIONS if "security" not in DOCUMENT["paths"][path][method]}
    assert public == {
        "/api/v1/auth/token",
        "/health",
        "/health/live",
        "/health/ready",
        "/version",
        "/openapi.json",
    }


@pytest.mark.parametrize(("method", "path", "mode"), MODES, ids=lambda part: getattr(part, "name", part))
def test_nothing_undocumented_is_answered(
    client: EngineClient, known: list[str], method: str, path: str, mode: GenerationMode
) -> None:
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    operation = schema[path][method]
    turn = itertools.cycle([None, *known])
    headers = {"Authorization": client.http.headers["Authorization"]}

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=LOGINS if path.endswith("/token") else EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case[Any]) -> None:
        _make_real(case, next(turn))
        case.call_and_validate(base_url=str(client.http.base_url), headers=headers, checks=CHECKS, timeout=30)

    ask()


def _make_real(case: schemathesis.Case[Any], query: str | None) -> None:
    """Let some of the generated requests be about what there is, or none would get past "unknown"."""
    if query is None:
        return
    if "query_id" in case.path_parameters:
        case.path_parameters["query_id"] = query
    if "name" in case.path_parameters:
        case.path_parameters["name"] = "sample"
    if isinstance(case.body, dict) and "sql" in case.body:
        case.body |= {"datasource": "sample"}
        if isinstance(case.body.get("wait_s"), int | float):
            case.body["wait_s"] = 0.5
