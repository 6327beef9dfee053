"""A stopping API answers whoever waits: with the query as it is, never with a broken connection."""

import threading
import time

import httpx

from support.engines import Service
from support.waiting import eventually

ENDLESS = "SELECT count(*) FROM orders a, orders b, orders c WHERE a.id + b.id + c.id = -5"


def test_a_waiting_submit_is_answered_with_202_when_the_api_stops(service: Service) -> None:
    client = service.home.client()
    answers: list[httpx.Response | Exception] = []

    def submit() -> None:
        try:
            answers.append(client.submit("sales", ENDLESS, wait_s=50, timeout_s=100))
        except httpx.HTTPError as error:
            answers.append(error)

    waiting = threading.Thread(target=submit)
    waiting.start()
    eventually("it runs", lambda: any(w["busy"] for w in service.home.load()["workers"]), 30)
    stopped = time.monotonic()
    assert service.api.terminate(within_s=25) == 0
    waiting.join(10)
    took = time.monotonic() - stopped
    answer = answers[0]
    assert isinstance(answer, httpx.Response), answer
    assert answer.status_code == 202
    assert answer.json()["state"] in {"queued", "running"}
    assert took < 15
    service.api = service.home.start_api()
    other = service.home.client()
    where = answer.headers["Location"]
    assert other.http.get(where).json()["id"] == answer.json()["id"]
    assert other.http.post(f"{where}/cancel").json()["state"] == "cancelled"
    other.http.close()
