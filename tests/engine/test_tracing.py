"""One id from the caller's header to the source's session: a slow statement leads back to its request."""

import json
from typing import Any
from uuid import uuid4

import psycopg

from support.engines import Service
from support.waiting import eventually

SLOW = "SELECT count(*) FROM orders a, orders b WHERE a.id <= 1500 AND a.id + b.id = 7"


def lines(log: str, correlation_id: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [line for line in found if line.get("correlation_id") == correlation_id]


def test_the_callers_id_is_on_every_log_line_of_its_query(service: Service) -> None:
    mine = f"trace-{uuid4()}"
    client = service.home.client()
    body = {"datasource": "sales", "sql": "SELECT 1"}
    client.http.post("/api/v1/queries", json=body, headers={"X-Correlation-ID": mine}).raise_for_status()

    def served() -> list[dict[str, Any]] | None:
        found = lines(service.api.log, mine)
        return found if any(line["event"] == "Served a request" for line in found) else None

    api = eventually("the API logged the whole request", served, 5)
    assert [line["event"] for line in api] == ["Accepted a query", "Served a request"]
    worker = eventually("the worker logged", lambda: lines(service.worker.log, mine)[1:], 5)
    assert worker[-1]["event"] == "Finished a query"


def test_the_source_sees_which_query_it_runs(service: Service) -> None:
    client = service.home.client()
    query = client.submit("sales", SLOW, wait_s=0).json()

    def named() -> list[tuple[Any, ...]]:
        with psycopg.connect(service.postgres.admin_uri()) as admin:
            return admin.execute(
                "SELECT usename FROM pg_stat_activity WHERE application_name = %s AND state = 'active'",
                (f"insight:{query['id']}.1",),
            ).fetchall()

    assert eventually("the source runs it", named, 10) == [("sales_reader",)]
    eventually("it ends", lambda: client.query(query["id"])["state"] == "succeeded", 60)
