"""Requests at the edge of what HTTP and JSON allow: each is answered by one clear problem."""

from uuid import uuid4

import httpx
import pytest

from support.engines import Asked

JSON = {"Content-Type": "application/json"}


def refused(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def send(asked: Asked, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    return asked.client.http.post("/api/v1/queries", content=body, headers=headers or JSON)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"SELECT 1",
        b"\xff\xfe",
        b'{"sql": "\xff"}',
        b'\xef\xbb\xbf{"sql": "SELECT 1"}',
        b'{"sql": "\\ud800"}',
        b'{"sql": "\\u12"}',
        b'{"wait_s": NaN}',
        b'{"wait_s": Infinity}',
        b"{'sql': 1}",
        b'{"sql": "SELECT 1",}',
        b'{"sql": "SELECT 1"} {}',
        b"[" * 100_000,
        b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
        b'{"sql": "SELECT 1", "sql": "SELECT 2"}',
        b'{"parameters": {"a": 1, "a": 2}}',
        b'{"row_limit": ' + b"9" * 5000 + b"}",
    ],
    ids=lambda body: body[:24],
)
def test_a_body_that_is_not_plain_json_is_refused(asked: Asked, body: bytes) -> None:
    assert refused(send(asked, body)) == (400, "bad_json")


@pytest.mark.parametrize("body", [b"null", b"[]", b'"x"', b"5", b"true", b"{}"])
def test_json_that_is_no_request_is_refused(asked: Asked, body: bytes) -> None:
    assert refused(send(asked, body)) == (422, "invalid_request")


def test_a_missing_body_is_refused(asked: Asked) -> None:
    assert refused(send(asked, b"")) == (422, "invalid_request")


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "", "application/jsonx"])
def test_a_body_that_is_not_declared_as_json_is_refused(asked: Asked, kind: str) -> None:
    answer = send(asked, b'{"sql": "SELECT 1"}', {"Content-Type": kind})
    assert refused(answer) == (415, "unsupported_media_type")
    assert "Content-Type: application/json" in answer.json()["detail"]


def test_the_charset_may_be_named(asked: Asked) -> None:
    answer = send(asked, b"{}", {"Content-Type": "Application/JSON; charset=utf-8"})
    assert refused(answer) == (422, "invalid_request")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("parameters", [[1]]),
        ("parameters", {"a": {"b": 1}}),
        ("parameters", [2**63]),
        ("parameters", "x"),
        ("parameters", [0] * 1001),
        ("on_wait_timeout", "explode"),
        ("max_age_s", 86_401),
        ("max_age_s", -1),
        ("byte_limit", 0),
        ("byte_limit", 2**40),
        ("wait_s", "10 seconds"),
        ("verified_query", 1),
    ],
)
def test_a_field_out_of_its_range_is_named(asked: Asked, field: str, value: object) -> None:
    body = {"datasource": asked.source, "sql": "SELECT 1", field: value}
    answer = asked.client.http.post("/api/v1/queries", json=body)
    assert refused(answer) == (422, "invalid_request")
    assert {entry["field"].partition(".")[0] for entry in answer.json()["errors"]} == {field}
    assert "[" not in answer.json()["errors"][0]["field"]


@pytest.mark.parametrize("sql", ["SELECT 1\u0000", "SELECT '\u0000'", "\ufeffSELECT 1", "SELECT\u00a01"])
def test_characters_that_hide_something_are_refused(asked: Asked, sql: str) -> None:
    assert refused(asked.client.submit(asked.source, sql)) == (422, "sql_rejected")


def test_a_nul_in_a_parameter_does_no_harm(asked: Asked) -> None:
    mark = "$1" if asked.source == "sales" else "?"
    answer = asked.client.submit(
        asked.source, f"SELECT id FROM orders WHERE '' = {mark}", parameters=["a\u0000"]
    )
    assert answer.status_code in {200, 422}
    if answer.status_code == 200:
        assert answer.json()["state"] in {"succeeded", "failed"}


@pytest.mark.parametrize(
    "query", ["state=done", "datasource=%00", "cursor=5", "limit=0", "limit=101", "everyone=perhaps"]
)
def test_a_bad_filter_is_a_bad_field(asked: Asked, query: str) -> None:
    assert refused(asked.client.http.get(f"/api/v1/queries?{query}")) == (422, "invalid_request")


@pytest.mark.parametrize("name", ["%00", "x" * 64, "a%2Fb", "%ff", "é"])
def test_a_strange_name_is_an_unknown_source(asked: Asked, name: str) -> None:
    answer = asked.client.http.get(f"/api/v1/datasources/{name}/schema")
    assert refused(answer)[0] in {404, 422}


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "BREW"])
def test_other_methods_are_refused_and_say_which_are_not(asked: Asked, method: str) -> None:
    answer = asked.client.http.request(method, "/api/v1/queries")
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")
    assert answer.headers["allow"]


def test_a_cursor_of_another_kind_is_refused(asked: Asked) -> None:
    query = asked.client.submit(asked.source, "SELECT 21 AS n").json()["id"]
    for cursor in ("MC4w\u00e9", "x", "LTEuMA", "MC4wLjA", "", str(uuid4())):
        answer = asked.client.http.get(f"/api/v1/queries/{query}/results", params={"cursor": cursor})
        assert answer.status_code in ({200} if cursor == "" else {422}), cursor
