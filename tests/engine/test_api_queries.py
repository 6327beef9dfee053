"""The queries of a user: listed, followed, repeated, cancelled; and nobody else's."""

import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.engine_client import EngineClient
from support.engines import Asked
from support.users import Users
from support.waiting import eventually

SLOW = "SELECT count(*) FROM orders a, orders b, orders c WHERE a.id + b.id + c.id = 7"


@pytest.fixture(scope="module")
def analyst(users: Users) -> Iterator[EngineClient]:
    client = users.add("analyst")
    yield client
    client.close()


def listed(client: EngineClient, **params: Any) -> dict[str, Any]:
    return dict(client.http.get("/api/v1/queries", params=params).raise_for_status().json())


def ids(page: dict[str, Any]) -> list[str]:
    return [query["id"] for query in page["queries"]]


def refused(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def test_queries_are_listed_newest_first_page_by_page(asked: Asked, users: Users) -> None:
    client = users.add("analyst")
    mine = [client.submit(asked.source, f"SELECT {n} AS n").json()["id"] for n in range(5)]
    first = listed(client, limit=2)
    second = listed(client, limit=2, cursor=first["next_cursor"])
    third = listed(client, limit=2, cursor=second["next_cursor"])
    assert ids(first) + ids(second) + ids(third) == mine[::-1]
    assert third["next_cursor"] is None
    assert first["queries"][0]["sql_preview"] == "SELECT 4 AS n"


def test_the_list_can_be_narrowed(asked: Asked, users: Users) -> None:
    client = users.add("analyst")
    done = client.submit(asked.source, "SELECT 1 AS n").json()["id"]
    assert ids(listed(client, state="succeeded", datasource=asked.source)) == [done]
    assert ids(listed(client, state="failed")) == []
    assert ids(listed(client, datasource="elsewhere")) == []


def test_only_an_admin_sees_everyones_queries(asked: Asked, analyst: EngineClient) -> None:
    theirs = analyst.submit(asked.source, "SELECT 11 AS n").json()["id"]
    assert refused(analyst.http.get("/api/v1/queries?everyone=true")) == (403, "role_too_low")
    assert theirs in ids(listed(asked.client, everyone=True, limit=100))
    assert theirs not in ids(listed(asked.client, limit=100))


def test_anothers_query_is_unknown(asked: Asked, analyst: EngineClient) -> None:
    path = f"/api/v1/queries/{asked.client.submit(asked.source, 'SELECT 12 AS n').json()['id']}"
    for suffix in ("", "/results", "/export", "/events"):
        assert refused(analyst.http.get(path + suffix)) == (404, "unknown_query"), suffix
    assert refused(analyst.http.post(f"{path}/cancel")) == (404, "unknown_query")


def test_an_admin_reads_anothers_status_but_not_the_result(asked: Asked, analyst: EngineClient) -> None:
    path = f"/api/v1/queries/{analyst.submit(asked.source, 'SELECT 13 AS n').json()['id']}"
    assert asked.client.http.get(path).json()["state"] == "succeeded"
    assert refused(asked.client.http.get(f"{path}/results")) == (404, "unknown_query")
    assert refused(asked.client.http.get(f"{path}/export")) == (404, "unknown_query")


def test_a_viewer_may_not_write_sql(asked: Asked, users: Users) -> None:
    viewer = users.add("viewer")
    assert refused(viewer.submit(asked.source, "SELECT 1")) == (403, "role_too_low")
    for route in ("validate", "explain"):
        body = {"datasource": asked.source, "sql": "SELECT 1"}
        assert refused(viewer.http.post(f"/api/v1/sql/{route}", json=body)) == (403, "role_too_low")


def test_a_repeated_request_is_the_same_query(asked: Asked) -> None:
    key = {"Idempotency-Key": secrets.token_hex(8)}
    body = {"datasource": asked.source, "sql": "SELECT 14 AS n", "wait_s": 20}
    first, again = (asked.client.http.post("/api/v1/queries", json=body, headers=key) for _ in range(2))
    assert first.json()["id"] == again.json()["id"]
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    other = asked.client.http.post("/api/v1/queries", json=body | {"sql": "SELECT 15"}, headers=key)
    assert refused(other) == (409, "idempotency_key_reused")


@pytest.mark.parametrize("key", ["", "x" * 129, "two words"])
def test_a_bad_idempotency_key_is_refused(asked: Asked, key: str) -> None:
    body = {"datasource": asked.source, "sql": "SELECT 1"}
    answer = asked.client.http.post("/api/v1/queries", json=body, headers={"Idempotency-Key": key})
    assert refused(answer) == (422, "invalid_request")


def test_a_recent_result_is_shared_when_it_may_be(asked: Asked) -> None:
    first = asked.client.submit(asked.source, "SELECT 16 AS n").json()
    again = asked.client.submit(asked.source, "SELECT 16 AS n", max_age_s=60).json()
    assert (first["cached"], again["cached"], again["state"]) == (False, True, "succeeded")
    assert asked.client.page(again["id"])["rows"] == [[16]]


def test_parameters_are_bound(asked: Asked) -> None:
    mark = "$1" if asked.source == "sales" else "?"
    sql = f"SELECT id FROM orders WHERE id = {mark}"
    query = asked.client.submit(asked.source, sql, parameters=[7]).json()
    assert asked.client.page(query["id"])["rows"] == [[7]]
    short = asked.client.submit(asked.source, sql, parameters=[])
    assert refused(short) == (422, "sql_rejected")


def test_a_query_nobody_waits_for_any_longer_can_be_cancelled(asked: Asked) -> None:
    started = time.monotonic()
    answer = asked.client.submit(asked.source, SLOW, wait_s=0.5, on_wait_timeout="cancel")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled"), answer.text
    assert time.monotonic() - started < 10


def test_cancelling_ends_a_query_and_may_be_repeated(asked: Asked) -> None:
    query = asked.client.submit(asked.source, f"{SLOW} OR a.id < 0", wait_s=0).json()
    eventually("it runs", lambda: asked.client.query(query["id"])["state"] == "running", 10)
    for _ in range(2):
        answer = asked.client.http.post(f"/api/v1/queries/{query['id']}/cancel")
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")


def events(client: EngineClient, query_id: str) -> list[dict[str, Any]]:
    with client.http.stream("GET", f"/api/v1/queries/{query_id}/events", timeout=30) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = list(answer.iter_lines())
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def test_events_of_a_finished_query_are_its_last_state(asked: Asked) -> None:
    query = asked.client.submit(asked.source, "SELECT 17 AS n").json()
    assert events(asked.client, query["id"]) == [query]


def test_events_follow_a_query_to_its_end(asked: Asked) -> None:
    query = asked.client.submit(asked.source, f"{SLOW} OR a.id < -1", wait_s=0, timeout_s=1.5).json()
    states = [event["state"] for event in events(asked.client, query["id"])]
    assert states[-1] == "timed_out"
    assert set(states) <= {"queued", "running", "timed_out"}
    assert "running" in states


def test_a_disabled_user_is_out_within_seconds_and_back_when_enabled(asked: Asked, users: Users) -> None:
    name = f"leaving-{secrets.token_hex(4)}"
    client = users.add("analyst", name)
    assert client.http.get("/api/v1/auth/me").status_code == 200
    assert users.run("disable", name)[0] == 0
    eventually("the token is refused", lambda: client.http.get("/api/v1/auth/me").status_code == 401, 6)
    assert refused(client.submit(asked.source, "SELECT 1")) == (401, "token_invalid")
    assert users.run("enable", name)[0] == 0
    assert client.http.get("/api/v1/auth/me").status_code == 401
