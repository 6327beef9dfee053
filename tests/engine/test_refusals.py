"""What is refused, in problem+json, each naming reason and cure; and nothing leaks."""

import httpx
import pytest

from support.engines import Asked


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), (
        answer.text
    )
    body = dict(answer.json())
    assert (body["status"], body["code"]) == (status, code)
    assert body["correlation_id"] == answer.headers["x-correlation-id"]
    assert set(body) <= {"type", "title", "status", "detail", "code", "correlation_id", "errors", "reasons"}
    return body


NO_QUERY = "/api/v1/queries/00000000-0000-7000-8000-000000000001"


def anonymous(asked: Asked) -> httpx.Client:
    return httpx.Client(base_url=asked.client.http.base_url, timeout=20)


@pytest.mark.parametrize(
    ("username", "password"), [("admin", "wrong"), ("nobody", "wrong"), ("ADMIN ", "x" * 4096)]
)
def test_a_wrong_login_is_refused_alike_for_known_and_unknown(
    asked: Asked, username: str, password: str
) -> None:
    with anonymous(asked) as http:
        answer = http.post("/api/v1/auth/token", json={"username": username, "password": password})
    assert problem(answer, 401, "login_refused")["detail"] == "Username or password is wrong."
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/api/v1/auth/me", "/api/v1/datasources", NO_QUERY])
def test_a_request_without_a_token_is_refused(asked: Asked, path: str) -> None:
    with anonymous(asked) as http:
        problem(http.get(path), 401, "token_invalid")


def test_a_token_in_the_query_string_is_not_taken(asked: Asked) -> None:
    token = asked.client.http.headers["Authorization"].removeprefix("Bearer ")
    with anonymous(asked) as http:
        problem(http.get("/api/v1/auth/me", params={"access_token": token}), 401, "token_invalid")


def test_two_authorization_headers_are_refused(asked: Asked) -> None:
    good = asked.client.http.headers["Authorization"]
    with anonymous(asked) as http:
        answer = http.get("/api/v1/auth/me", headers=[("Authorization", good), ("Authorization", good)])
    problem(answer, 401, "token_invalid")


@pytest.mark.parametrize("scheme", ["Basic", "", "Token"])
def test_another_scheme_is_refused(asked: Asked, scheme: str) -> None:
    token = asked.client.http.headers["Authorization"].removeprefix("Bearer ")
    with anonymous(asked) as http:
        answer = http.get("/api/v1/auth/me", headers={"Authorization": f"{scheme} {token}".strip()})
    problem(answer, 401, "token_invalid")


def test_a_declared_oversized_body_is_refused_unread(asked: Asked) -> None:
    answer = asked.client.http.post("/api/v1/queries", content=b"x" * (256 * 1024 + 1))
    assert "256 KiB" in str(problem(answer, 413, "body_too_large")["detail"])


def test_an_undeclared_oversized_body_is_refused(asked: Asked) -> None:
    answer = asked.client.http.post("/api/v1/queries", content=iter([b"x" * 100_000] * 3))
    problem(answer, 413, "body_too_large")


def test_a_statement_over_64_kib_is_refused(asked: Asked) -> None:
    problem(asked.client.submit(asked.source, "SELECT 1 --" + "x" * 65_536), 413, "sql_too_long")


def test_a_body_that_is_no_json_is_refused(asked: Asked) -> None:
    answer = asked.client.http.post(
        "/api/v1/queries", content=b'{"sql": ', headers={"content-type": "application/json"}
    )
    problem(answer, 400, "bad_json")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"sql": ""}, "sql"),
        ({"sql": 5}, "sql"),
        ({"wait_s": -1}, "wait_s"),
        ({"wait_s": 1e9}, "wait_s"),
        ({"row_limit": 0}, "row_limit"),
        ({"row_limit": 10**12}, "row_limit"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"rowlimit": 5}, "rowlimit"),
        ({"datasource": None}, "datasource"),
    ],
)
def test_a_bad_field_is_named(asked: Asked, change: dict[str, object], field: str) -> None:
    body = {"datasource": asked.source, "sql": "SELECT 1", **change}
    found = problem(asked.client.http.post("/api/v1/queries", json=body), 422, "invalid_request")
    assert [entry["field"] for entry in found["errors"]] == [field]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("sql", "status"),
    [("DROP TABLE orders", 422), ("SELECT 1; SELECT 2", 422), ("SELECT 1 FROM other.t", 403)],
)
def test_sql_that_the_guard_refuses_has_reasons(asked: Asked, sql: str, status: int) -> None:
    found = problem(asked.client.submit(asked.source, sql), status, "sql_rejected")
    assert all({"code", "message"} <= set(reason) for reason in found["reasons"])  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["nowhere", "hidden", "../etc/passwd"])
def test_a_source_that_is_not_the_callers_is_unknown(asked: Asked, name: str) -> None:
    problem(asked.client.submit(name, "SELECT 1"), 404, "unknown_datasource")


def test_a_query_that_does_not_exist_is_unknown(asked: Asked) -> None:
    problem(asked.client.http.get(NO_QUERY), 404, "unknown_query")
    problem(asked.client.http.get(f"{NO_QUERY}/results"), 404, "unknown_query")


def test_an_id_that_is_none_is_a_bad_field(asked: Asked) -> None:
    problem(asked.client.http.get("/api/v1/queries/1"), 422, "invalid_request")


def test_a_foreign_cursor_is_refused(asked: Asked) -> None:
    query = asked.client.submit(asked.source, "SELECT 1").json()
    answer = asked.client.http.get(f"/api/v1/queries/{query['id']}/results", params={"cursor": "x"})
    problem(answer, 422, "bad_cursor")


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/metrics", "/", "/api", "/health/"])
def test_nothing_is_served_beside_the_api(asked: Asked, path: str) -> None:
    with anonymous(asked) as http:
        problem(http.get(path), 404, "not_found")


def test_a_wrong_method_is_refused(asked: Asked) -> None:
    problem(asked.client.http.delete("/api/v1/queries"), 405, "method_not_allowed")
