"""A bad field is told in the API's own words: the field, the reason and the cure."""

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from insight_engine.api.problems import install
from insight_engine.api.schemas import QueryRequest

NAMES = "datasource, sql, parameters, wait_s, on_wait_timeout, row_limit, byte_limit, timeout_s, max_age_s"


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = FastAPI()
    install(app)

    @app.post("/ask")
    async def ask(body: QueryRequest, limit: int = 1) -> str:
        return f"{body.sql} {limit}"

    return TestClient(app)


def told(client: TestClient, body: Any, **query: str) -> dict[str, str]:
    answer = client.post("/ask", json=body, params=query)
    assert answer.status_code == 422, answer.text
    found = answer.json()
    assert found["detail"] == "; ".join(f"{one['field']}: {one['message']}" for one in found["errors"])
    return {one["field"]: one["message"] for one in found["errors"]}


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"rowlimit": 5}, "rowlimit", f"unknown field: use one of {NAMES}"),
        ({"sql": ""}, "sql", "it is too short: it needs at least 1 character(s)"),
        ({"sql": 5}, "sql", "it must be text"),
        ({"datasource": "x" * 64}, "datasource", "it is too long: it may have at most 63 characters"),
        ({"wait_s": -1}, "wait_s", "it must be at least 0"),
        ({"wait_s": 61}, "wait_s", "it must be at most 60"),
        ({"timeout_s": 0}, "timeout_s", "it must be greater than 0"),
        ({"timeout_s": []}, "timeout_s", "it must be a number"),
        ({"row_limit": 1.5}, "row_limit", "it must be a whole number"),
        ({"row_limit": "many"}, "row_limit", "it must be a whole number"),
        ({"on_wait_timeout": "stop"}, "on_wait_timeout", "it must be 'continue' or 'cancel'"),
        ({"parameters": 5}, "parameters", "it must be a list, or it must be an object"),
        ({"parameters": [1] * 1001}, "parameters", "it may have at most 1000 entries"),
        ({"parameters": [2**70]}, "parameters.0", "a whole number must fit in 64 bits: pass it as text"),
        (
            {"parameters": {"int": [1]}},
            "parameters.int",
            ", or ".join(
                f"it must be {kind}" for kind in ("true or false", "a whole number", "a number", "text")
            ),
        ),
    ],
)
def test_the_field_the_reason_and_the_cure(
    client: TestClient, change: dict[str, Any], field: str, message: str
) -> None:
    assert told(client, {"datasource": "sales", "sql": "SELECT 1"} | change) == {field: message}


def test_what_is_missing_is_named(client: TestClient) -> None:
    assert told(client, {"sql": "SELECT 1"}) == {"datasource": "it is required: add it"}


@pytest.mark.parametrize("body", [[], 5, "text"])
def test_a_body_that_is_no_object(client: TestClient, body: Any) -> None:
    assert told(client, body) == {"body": "it must be a JSON object"}


def test_a_bad_parameter_of_the_address(client: TestClient) -> None:
    assert told(client, {"datasource": "a", "sql": "b"}, limit="x") == {"limit": "it must be a whole number"}
