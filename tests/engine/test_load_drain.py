"""`/internal/drain` of a real worker: it takes no more, ends what it has, and stays until told to leave."""

from collections.abc import Iterator

import httpx
import pytest

from support.engines import Service
from support.internal_port import TOKEN, drain, figures, internal
from support.waiting import eventually

SLOW = "SELECT count(*) FROM orders a, orders b WHERE a.id <= 3000 AND a.id + b.id = {}"


@pytest.fixture
def token(service: Service) -> Iterator[str]:
    service.home.put("internal", token=TOKEN)
    yield f"Bearer {TOKEN}"
    (service.home.secrets / "internal" / "token").unlink()


def test_nobody_drains_without_the_token(service: Service) -> None:
    assert drain(service, f"Bearer {TOKEN}").status_code == 403  # none is mounted
    service.home.put("internal", token=TOKEN)
    try:
        for wrong in (None, "", "Bearer", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é"):
            assert drain(service, wrong).status_code == 401, wrong
        service.home.put("internal", token="")
        assert drain(service, "Bearer").status_code == 403
    finally:
        (service.home.secrets / "internal" / "token").unlink()
    assert service.home.load()["draining"] is False
    for method in ("GET", "DELETE", "PUT"):
        status = httpx.request(method, internal(service, "/internal/drain")).status_code
        assert status in {404, 501}


def test_a_drained_worker_finishes_what_it_has_takes_nothing_more_and_stays(
    service: Service, token: str
) -> None:
    figures(service)
    client = service.home.client()
    runs = client.submit("sales", SLOW.format(-77), wait_s=0, timeout_s=60).json()
    eventually("it runs", lambda: client.query(runs["id"])["state"] == "running", 20)
    asked = drain(service, token)
    assert asked.status_code == 200
    assert asked.json()["draining"] is True
    assert drain(service, token).status_code == 200  # again: nothing changes
    assert httpx.get(internal(service, "/health/ready")).status_code == 503
    assert httpx.get(internal(service, "/health/live")).status_code == 200
    waits = client.submit("sales", "SELECT 41 + 1", wait_s=0).json()
    assert service.home.load()["slots"] == 0

    def drained() -> bool:
        return bool(service.home.load()["drained"])

    eventually("all that ran has ended", drained, 60)
    assert client.query(runs["id"])["state"] == "succeeded"
    # Another pod comes: it must get what this one no longer takes.
    assert client.query(waits["id"])["state"] == "queued"
    assert service.worker.process.poll() is None
    assert "Taking no more queries" in service.worker.log

    other = service.home.start(
        "worker", internal_port=service.home.spare_port(), INSIGHT_WORKER_CONCURRENCY="1"
    )
    eventually("another runs it", lambda: client.query(waits["id"])["state"] == "succeeded", 40)
    for n in range(6):
        assert client.rows("sales", f"SELECT {n}") == [[n]]
    assert service.worker.log.count("Claimed a query") == _claimed_before(service, runs["id"])
    assert service.worker.terminate(within_s=20) == 0
    other.terminate()
    service.worker = service.home.start_worker()


def _claimed_before(service: Service, last: str) -> int:
    """Queries that the drained worker claimed up to and with the last one it was allowed to."""
    lines = [line for line in service.worker.log.splitlines() if "Claimed a query" in line]
    return next(number for number, line in enumerate(lines, 1) if last in line)


def test_a_child_born_in_a_drained_pod_takes_nothing_either(service: Service, token: str) -> None:
    victim = figures(service)["workers"][0]["pid"]
    drain(service, token)
    eventually("it is drained", lambda: service.home.load()["drained"], 20)
    claimed = service.worker.log.count("Claimed a query")
    next(p for p in service.worker.children() if p.pid == victim).kill()

    def replaced() -> bool:
        pids = {worker["pid"] for worker in service.home.load()["workers"]}
        return len(pids) == 2 and victim not in pids

    query = service.home.client().submit("sales", "SELECT 43", wait_s=0).json()
    eventually("it is replaced", replaced, 20)
    eventually("and drained too", lambda: service.home.load()["drained"], 20)
    assert service.worker.log.count("Claimed a query") == claimed
    service.worker.terminate()
    service.worker = service.home.start_worker()
    client = service.home.client()
    eventually("it runs then", lambda: client.query(query["id"])["state"] == "succeeded", 20)
