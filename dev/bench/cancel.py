"""E4: from the request to cancel until the source's backend is gone, also when the worker was killed."""

import time

import psycopg

from dev.bench.client import Client
from dev.bench.figures import Figure, Findings, load, percentile, spread
from dev.bench.service import Service
from support.campaign_cancel import Watch, sleeping
from support.waiting import eventually

CANCELS = 20
AFTER_KILL = 6
GOAL_MS = 300


def cancelling(service: Service, _samples: int) -> Findings:
    """E4."""
    found = Findings()
    (token,) = service.tokens(1)
    client, watch = Client(service.home.api_port, token), Watch(service.postgres.admin_uri("sales"))
    for name, count, kill in (("E4 cancel", CANCELS, False), ("E4 cancel, worker killed", AFTER_KILL, True)):
        times = [_once(service, client, watch, kill=kill) for _ in range(count)]
        measured = f"{spread(times)}, n {count}"
        met = percentile(times, 95) <= GOAL_MS
        found.add(Figure(f"{name} → backend gone", f"p95 ≤ {GOAL_MS} ms", measured, met), **{name: times})
    found.raw["load"] = load()
    watch.close()
    client.close()
    return found


def _once(service: Service, client: Client, watch: Watch, *, kill: bool) -> float:
    watch.until_idle()
    body = {"datasource": "sales", "sql": sleeping(), "wait_s": 0, "timeout_s": 60}
    query = client.json("POST", "/api/v1/queries", body, expect=(202,))
    watch.until_busy()
    if kill:
        _kill(service, query["id"])
    asked = time.monotonic()
    watching = watch.watching()
    client.json("POST", f"/api/v1/queries/{query['id']}/cancel")
    watching.join(30)
    return (watch.gone_at - asked) * 1000


def _kill(service: Service, query_id: str) -> None:
    """SIGKILL the worker process that runs it, and go on once the pool is whole but for the cancel."""
    with psycopg.connect(service.postgres.admin_uri("insight"), autocommit=True) as store:
        row = store.execute("SELECT worker FROM insight.queries WHERE id = %s", (query_id,)).fetchone()
    children = service.worker.children()
    next(child for child in children if row is not None and str(child.pid) in str(row[0])).kill()
    eventually("a new child is there", lambda: len(service.worker.children()) >= len(children), 20)
