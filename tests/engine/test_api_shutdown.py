"""A stopping API answers those who wait and ends its streams, instead of cutting them off."""

import json
import threading
import time

import httpx
import pytest

from support.engine_client import EngineClient
from support.engine_process import ADMIN, EngineHome

SLOW = "SELECT count(*) FROM orders a, orders b, orders c WHERE a.id + b.id + c.id = {n}"


@pytest.mark.parametrize("mode", ["embedded", "service"])
def test_waiting_requests_are_answered_and_streams_end_at_a_stop(
    request: pytest.FixtureRequest, mode: str
) -> None:
    if mode == "embedded":
        home: EngineHome
        home, password = request.getfixturevalue("embedded_home")
        client, command, source = EngineClient(home.url, ADMIN, password), home.commands[0], "sample"
    else:
        service = request.getfixturevalue("service")
        client, command, source = service.home.client(), service.api, "sales"
    followed = client.submit(source, SLOW.format(n=-5), wait_s=0, timeout_s=60).json()["id"]
    answers: list[httpx.Response] = []
    told: list[str] = []
    first_event = threading.Event()

    def wait() -> None:
        answers.append(client.submit(source, SLOW.format(n=-6), wait_s=50, timeout_s=60))

    def follow() -> None:
        with client.http.stream("GET", f"/api/v1/queries/{followed}/events", timeout=60) as stream:
            for line in stream.iter_lines():
                told.append(line)
                first_event.set()

    threads = [threading.Thread(target=wait), threading.Thread(target=follow)]
    for thread in threads:
        thread.start()
    assert first_event.wait(20)
    time.sleep(0.5)  # the request that waits shows nothing of itself before it is answered
    started = time.monotonic()
    command.terminate(within_s=30)
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert time.monotonic() - started < 20
    assert [answer.status_code for answer in answers] == [202]
    assert next(json.loads(line[6:])["id"] for line in told if line.startswith("data: ")) == followed
