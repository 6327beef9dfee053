"""Leaving: what runs is finished or handed back, and nobody waits for an idle connection."""

import time

from support.engines import Service
from support.waiting import eventually

SLOW = "SELECT count(*) FROM orders a, orders b WHERE a.id <= 1500 AND a.id + b.id = 7"

# Far longer than the second that the hasty worker is given, on a fast machine too.
ENDLESS = SLOW.replace("1500", "9000")


def test_a_stopping_worker_hands_back_what_it_cannot_finish(service: Service) -> None:
    client = service.home.client()
    service.worker.terminate()
    hasty = service.home.start_worker(concurrency=1, drain_s=1)
    query = client.submit("sales", ENDLESS, wait_s=0, timeout_s=120).json()
    eventually("it runs", lambda: client.query(query["id"])["state"] == "running", 10)
    stopped = time.monotonic()
    assert hasty.terminate(within_s=15) == 0
    assert time.monotonic() - stopped < 10
    assert "Handed a query back" in hasty.log
    assert client.query(query["id"])["state"] == "queued"
    service.worker = service.home.start_worker()
    eventually("another worker ends it", lambda: client.query(query["id"])["state"] == "succeeded", 100)
    assert client.query(query["id"])["attempt"] == 2


def test_a_stopping_worker_finishes_what_it_can(service: Service) -> None:
    client = service.home.client()
    query = client.submit("sales", SLOW, wait_s=0, timeout_s=60).json()
    eventually("it runs", lambda: client.query(query["id"])["state"] == "running", 10)
    assert service.worker.terminate(within_s=40) == 0
    ended = client.query(query["id"])
    service.worker = service.home.start_worker()
    assert (ended["state"], ended["attempt"]) == ("succeeded", 1)


def test_a_stopping_api_does_not_wait_for_idle_connections(service: Service) -> None:
    idle = service.home.client()
    stopped = time.monotonic()
    assert service.api.terminate(within_s=20) == 0
    assert time.monotonic() - stopped < 8
    idle.close()
    service.api = service.home.start_api()


def test_a_stopping_worker_does_not_wait_for_a_database_that_never_answers(service: Service) -> None:
    assert service.home.client().rows("sales", "SELECT 1") == [[1]]
    service.postgres.freeze()
    try:
        stopped = time.monotonic()
        assert service.worker.terminate(within_s=40) == 0, service.worker.log
        assert time.monotonic() - stopped < 20  # waiting for each of its connections takes longer
    finally:
        service.postgres.thaw()
        service.worker = service.home.start_worker()


def test_nothing_is_left_in_the_writable_folder(service: Service) -> None:
    service.worker.terminate()
    service.api.terminate()
    assert list(service.home.tmp.iterdir()) == []
