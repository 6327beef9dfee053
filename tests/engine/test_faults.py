"""What breaks, and what the caller sees of it: nothing lost, nothing stuck, said honestly."""

import signal
from functools import partial
from typing import Any

import httpx
import pytest

from support.engines import Service
from support.waiting import eventually

SLOW = "SELECT count(*) FROM orders a, orders b WHERE a.id <= 1500 AND a.id + b.id = 7"


def health(service: Service) -> tuple[int, str, dict[str, Any]]:
    answer = httpx.get(f"{service.home.url}/health", timeout=10)
    return answer.status_code, answer.json()["status"], answer.json()["checks"]


def running(service: Service, query_id: str, attempt: int = 1) -> int | None:
    """The pid of the worker child that runs that attempt."""
    with service.store() as store:
        row = store.execute(
            "SELECT worker FROM insight.queries WHERE id = %s AND state = 'running' AND attempt = %s",
            (query_id, attempt),
        ).fetchone()
    return None if row is None else int(str(row[0]).rsplit(":", 1)[1])


def test_a_worker_killed_in_mid_query_leads_to_another_attempt(service: Service) -> None:
    client = service.home.client()
    query = client.submit("sales", SLOW, wait_s=0, timeout_s=60).json()
    pid = eventually("the query runs", lambda: running(service, query["id"]), 10)
    child = next(child for child in service.worker.children() if child.pid == pid)
    child.kill()
    eventually("another attempt runs", lambda: running(service, query["id"], attempt=2), 30)
    ended = eventually("it ends", lambda: _final(client.query(query["id"])), 90)
    assert (ended["state"], ended["attempt"], ended["error"]) == ("succeeded", 2, None)
    eventually("a new child is there", lambda: len(service.worker.children()) >= 2, 10)


def _final(query: dict[str, Any]) -> dict[str, Any] | None:
    return None if query["state"] in {"queued", "running"} else query


def test_a_query_whose_workers_are_lost_three_times_fails_as_such(service: Service) -> None:
    client = service.home.client()
    query = client.submit("sales", SLOW, wait_s=0, timeout_s=120).json()
    for attempt in (1, 2, 3):
        pid = eventually(f"attempt {attempt} runs", partial(running, service, query["id"], attempt), 30)
        next(child for child in service.worker.children() if child.pid == pid).kill()
        _age_lease(service, query["id"])
    ended = eventually("it ends", lambda: _final(client.query(query["id"])), 30)
    assert (ended["state"], ended["error"]["code"]) == ("failed", "worker_lost")


def _age_lease(service: Service, query_id: str) -> None:
    with service.store() as store:
        store.execute(
            "UPDATE insight.queries SET lease_expires_at = now() - interval '1 s' WHERE id = %s", (query_id,)
        )


def test_a_late_twin_changes_nothing(service: Service) -> None:
    """A worker frozen past its lease wakes up and finds the query ended by another attempt."""
    client = service.home.client()
    query = client.submit("sales", SLOW, wait_s=0, timeout_s=120).json()
    pid = eventually("the query runs", lambda: running(service, query["id"]), 10)
    frozen = next(child for child in service.worker.children() if child.pid == pid)
    frozen.send_signal(signal.SIGSTOP)
    try:
        _age_lease(service, query["id"])
        ended = eventually("it ends elsewhere", lambda: _final(client.query(query["id"])), 90)
    finally:
        frozen.send_signal(signal.SIGCONT)
    eventually(
        "the twin gives up",
        lambda: "Dropped a late result" in service.worker.log or "Lost the lease" in service.worker.log,
        60,
    )
    assert client.query(query["id"]) == ended
    assert (ended["state"], ended["attempt"]) == ("succeeded", 2)


def test_without_redis_queries_are_still_answered_and_health_says_degraded(service: Service) -> None:
    client = service.home.client()
    service.redis.stop()
    try:
        eventually("health is degraded", lambda: health(service)[:2] == (200, "degraded"), 10)
        answer = client.submit("sales", "SELECT 4 AS four", wait_s=20)
        assert (answer.status_code, answer.json()["state"]) == (200, "succeeded"), answer.text
        assert client.submit("sales", "SELECT 5", wait_s=0).status_code == 202
    finally:
        service.redis.start()
    eventually("health is ok", lambda: health(service)[:2] == (200, "ok"), 15)
    assert client.rows("sales", "SELECT 6") == [[6]]


def test_messages_that_redis_forgot_are_made_up_for(service: Service) -> None:
    client = service.home.client()
    service.worker.process.send_signal(signal.SIGSTOP)
    query = client.submit("sales", "SELECT 7 AS seven", wait_s=0).json()
    service.redis.stop()
    service.redis.start()
    service.worker.process.send_signal(signal.SIGCONT)
    eventually("it ends", lambda: client.query(query["id"])["state"] == "succeeded", 20)


def test_without_postgres_health_is_down_liveness_is_not_and_it_heals(service: Service) -> None:
    client = service.home.client()
    service.postgres.stop()
    try:
        status, word, checks = eventually("health is down", lambda: _down(service), 10)
        assert (status, word, checks["database"]["status"]) == (503, "down", "down")
        assert httpx.get(f"{service.home.url}/health/live").status_code == 200
        internal = f"http://127.0.0.1:{service.home.worker_internal}/health"
        eventually("the worker is not ready", lambda: httpx.get(f"{internal}/ready").status_code == 503, 15)
        assert httpx.get(f"{internal}/live").status_code == 200
        answer = client.submit("sales", "SELECT 8")
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert answer.headers["retry-after"] == "2"
    finally:
        service.postgres.start()
    eventually("health is ok", lambda: health(service)[:2] == (200, "ok"), 15)
    eventually("a query succeeds", lambda: client.submit("sales", "SELECT 9").status_code == 200, 20)


def _down(service: Service) -> tuple[int, str, dict[str, Any]] | None:
    found = health(service)
    return found if found[0] == 503 else None


def test_a_lost_result_is_gone_not_short(service: Service) -> None:
    client = service.home.client()
    query = client.submit("sales", "SELECT id FROM orders ORDER BY id").json()
    with service.store() as store:
        store.execute(
            "DELETE FROM insight_results.result_chunks WHERE query_id = %s AND seq = 1", (query["id"],)
        )
    answer = client.http.get(f"/api/v1/queries/{query['id']}/results", params={"limit": 10_000})
    while answer.status_code == 200:
        cursor = answer.json()["next_cursor"]
        answer = client.http.get(f"/api/v1/queries/{query['id']}/results", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (410, "result_lost")
    assert client.query(query["id"])["state"] == "expired"


@pytest.mark.parametrize("path", ["/metrics", "/health/live", "/health/ready"])
def test_the_internal_port_answers_on_both(service: Service, path: str) -> None:
    for port in (service.home.api_internal, service.home.worker_internal):
        url = f"http://127.0.0.1:{port}{path}"
        eventually(f"{url} answers", partial(_answers, url), 10)


def _answers(url: str) -> bool:
    return httpx.get(url).status_code == 200


def test_no_secret_reaches_a_log(service: Service) -> None:
    token = service.home.client().http.headers["Authorization"].removeprefix("Bearer ")
    written = service.home.logs()
    canaries = [service.postgres.password, service.redis.password, service.home.admin_password, token]
    mounted = (service.home.secrets / name / "password" for name in ("database", "source-sales"))
    canaries += [file.read_text() for file in mounted]
    keyset = (service.home.secrets / "jwt" / "keyset.json").read_text()
    canaries.append(keyset.split('"secret": "')[1].split('"')[0])
    assert [canary for canary in canaries if canary in written] == []
