"""`/internal/load` of a real worker: what an autoscaler asks before it adds pods or takes them away."""

import time
from typing import Any

import httpx

from support.engines import Service
from support.internal_port import TOKEN, drain, figures, internal
from support.waiting import eventually

SLOW = "SELECT count(*) FROM orders a, orders b WHERE a.id <= 3000 AND a.id + b.id = {}"


def test_the_load_counts_what_waits_and_what_runs(service: Service) -> None:
    idle = figures(service)
    assert idle["draining"] is False
    assert idle["drained"] is False
    assert [worker["busy"] for worker in idle["workers"]] == [False, False]
    client = service.home.client()
    queries = [client.submit("sales", SLOW.format(-n), wait_s=0, timeout_s=60).json() for n in range(4)]

    def busy() -> dict[str, Any] | None:
        load = service.home.load()
        both = all(worker["busy"] for worker in load["workers"])
        return load if both and (load["queued"], load["running"]) == (2, 2) else None

    load = eventually("two run and two wait", busy, 20)
    assert load["oldest_queued_s"] > 0
    now = time.time()
    assert all(0 <= now - worker["since"] < 60 for worker in load["workers"])
    assert {worker["pid"] for worker in load["workers"]} <= {p.pid for p in service.worker.children()}
    for query in queries:
        client.http.post(f"/api/v1/queries/{query['id']}/cancel")
    for query in queries:
        assert client.http.get(f"/api/v1/queries/{query['id']}").json()["state"] == "cancelled"
    eventually("nothing is left", lambda: figures(service)["running"] == 0, 10)


def test_the_api_tells_what_waits_and_has_no_places(service: Service) -> None:
    load = httpx.get(internal(service, "/internal/load", service.home.api_internal)).json()
    assert load["stale"] is False
    assert (load["slots"], load["workers"], load["draining"]) == (0, [], False)
    assert load["queued"] is not None
    assert drain(service, f"Bearer {TOKEN}", service.home.api_internal).status_code == 404


def test_the_load_is_told_at_once_when_the_store_is_frozen(service: Service) -> None:
    figures(service)
    service.postgres.freeze()
    try:
        eventually("the figures are old", lambda: service.home.load()["stale"], 15)
        started = time.monotonic()
        assert service.home.load()["queued"] is not None
        assert time.monotonic() - started < 1
    finally:
        service.postgres.thaw()
    figures(service)


def test_a_killed_child_is_no_place_for_work(service: Service) -> None:
    victim = figures(service)["workers"][0]["pid"]
    next(p for p in service.worker.children() if p.pid == victim).kill()
    eventually("it is gone", lambda: victim not in {w["pid"] for w in service.home.load()["workers"]}, 10)
    assert len(figures(service)["workers"]) == 2
