"""Ending a query: its caller is answered once the database has let go, whoever has to see to that."""

import signal
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from support.engine_client import EngineClient
from support.engines import Asked, Service
from support.waiting import eventually

HEAVY = "SELECT count(*) AS {0} FROM orders a, orders b, orders c WHERE a.id + b.id + c.id = 7"


def heavy() -> str:
    """A query that runs for minutes, like no other."""
    return HEAVY.format(f"n{uuid4().hex}")


def state_is(client: EngineClient, query: dict[str, Any], *states: str) -> Callable[[], bool]:
    return lambda: client.query(query["id"])["state"] in states


def cancel(client: EngineClient, query: dict[str, Any]) -> dict[str, Any]:
    answer = client.http.post(f"/api/v1/queries/{query['id']}/cancel")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def backends(service: Service, query_id: str) -> int:
    """Sessions that work on it, as the database sees them."""
    with psycopg.connect(service.postgres.admin_uri(), autocommit=True) as admin:
        row = admin.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'sales_reader' AND state = 'active'"
            " AND application_name LIKE %s",
            (f"%{query_id}%",),
        ).fetchone()
    return int(row[0]) if row else 0


def started(service: Service, **options: Any) -> tuple[EngineClient, dict[str, Any]]:
    """A query that works in the database now."""
    client = service.home.client()
    query = client.submit("sales", heavy(), wait_s=0, timeout_s=120, **options).json()
    eventually("the database works on it", lambda: backends(service, query["id"]) == 1, 20)
    return client, query


def test_a_running_query_is_ended_at_once(asked: Asked) -> None:
    query = asked.client.submit(asked.source, heavy(), wait_s=0, timeout_s=120).json()
    eventually("it runs", state_is(asked.client, query, "running"), 20)
    ended = cancel(asked.client, query)
    assert (ended["state"], ended["error"]["code"]) == ("cancelled", "cancelled")
    assert cancel(asked.client, query) == ended


def test_cancelling_a_query_that_has_ended_changes_nothing(asked: Asked) -> None:
    query = asked.client.submit(asked.source, "SELECT 21 AS n").json()
    assert cancel(asked.client, query)["state"] == "succeeded"
    assert asked.client.page(query["id"])["rows"] == [[21]]


def test_a_query_that_nobody_may_see_is_not_found(asked: Asked) -> None:
    answer = asked.client.http.post(f"/api/v1/queries/{uuid4()}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_query")


def test_a_query_is_ended_when_its_caller_has_waited_long_enough(asked: Asked) -> None:
    started_at = time.monotonic()
    answer = asked.client.submit(asked.source, heavy(), wait_s=1, timeout_s=120, on_wait_timeout="cancel")
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert time.monotonic() - started_at < 12


def test_the_database_has_let_go_when_a_cancel_is_answered(service: Service) -> None:
    client, query = started(service)
    ended = cancel(client, query)
    assert backends(service, query["id"]) == 0
    assert ended["state"] == "cancelled"


def test_a_waiting_query_is_cancelled_although_no_worker_is_there(service: Service) -> None:
    client = service.home.client()
    service.worker.process.send_signal(signal.SIGSTOP)
    children = service.worker.children()
    for child in children:
        child.suspend()
    try:
        query = client.submit("sales", heavy(), wait_s=0).json()
        before = time.monotonic()
        assert cancel(client, query)["state"] == "cancelled"
        assert time.monotonic() - before < 3
    finally:
        for child in children:
            child.resume()
        service.worker.process.send_signal(signal.SIGCONT)


def test_a_query_of_a_client_that_is_gone_is_ended(service: Service) -> None:
    client = service.home.client()
    sql = heavy()
    body = {
        "datasource": "sales",
        "sql": sql,
        "wait_s": 60,
        "timeout_s": 120,
        "on_wait_timeout": "cancel",
    }
    with pytest.raises(httpx.ReadTimeout):
        client.http.post("/api/v1/queries", json=body, timeout=2)
    with service.store() as store:
        eventually(
            "it is cancelled",
            lambda: (
                store.execute("SELECT state FROM insight.queries WHERE sql = %s", (sql,)).fetchone()
                == ("cancelled",)
            ),
            15,
        )


def test_a_query_whose_worker_was_killed_is_ended_by_another(service: Service) -> None:
    client, query = started(service)
    with service.store() as store:
        row = store.execute("SELECT worker FROM insight.queries WHERE id = %s", (query["id"],)).fetchone()
    assert row is not None
    pid = int(str(row[0]).rsplit(":", 1)[1])
    next(child for child in service.worker.children() if child.pid == pid).kill()
    ended = cancel(client, query)
    assert (ended["state"], backends(service, query["id"])) == ("cancelled", 0)
    eventually("a new child is there", lambda: len(service.worker.children()) >= 2, 15)


def test_a_query_over_its_time_leaves_no_work_behind(service: Service) -> None:
    client = service.home.client()
    query = client.submit("sales", heavy(), wait_s=20, timeout_s=1).json()
    assert (query["state"], backends(service, query["id"])) == ("timed_out", 0)


def test_a_follower_of_a_cancelled_query_goes_on(service: Service) -> None:
    client, sql = service.home.client(), heavy()
    leader = client.submit("sales", sql, wait_s=0, timeout_s=120).json()
    eventually("it runs", state_is(client, leader, "running"), 10)
    follower = client.submit("sales", sql, wait_s=0, timeout_s=120).json()
    assert cancel(client, leader)["state"] == "cancelled"
    eventually("the follower runs", state_is(client, follower, "running"), 10)
    assert cancel(client, follower)["state"] == "cancelled"
