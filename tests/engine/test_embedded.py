"""`serve --embedded` as a person meets it: greeted, refused in a sentence, stopped quickly, killed safely."""

import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.engine_client import EngineClient
from support.engine_process import ADMIN, Command, EngineHome
from support.waiting import eventually

ENDLESS = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n) SELECT count(*) FROM r"
ENDLESS_DUCKDB = (
    "SELECT count(*) FROM visits a, visits b, visits c, visits d"
    " WHERE (a.visits * b.visits + c.visits) % 7 = d.visits % 5"
)


@pytest.fixture
def home() -> Iterator[EngineHome]:
    with EngineHome() as home:
        yield home


def start(home: EngineHome) -> Command:
    command = home.start("serve", "--embedded", "--data", str(data(home)), "--port", str(home.api_port))
    home.wait_for(f"{home.url}/health", command)
    return command


def data(home: EngineHome) -> Path:
    return home.path / "data"


def client(home: EngineHome, command: Command) -> EngineClient:
    return EngineClient(home.url, ADMIN, command.log.split("with the password ")[1].split()[0])


def test_the_first_start_says_how_to_get_in_and_it_works(home: EngineHome) -> None:
    command = start(home)
    told = "".join(line + "\n" for line in command.log.splitlines() if not line.startswith("{"))
    assert f"serving at {home.url}, data in {data(home)}" in told
    example = told.split("Try it:\n")[1]
    answer = subprocess.run(["sh", "-c", example], capture_output=True, text=True, check=True)
    assert '"state":"succeeded"' in answer.stdout.replace(" ", ""), answer
    asked = client(home, command)
    across = "SELECT country, sum(visits) FROM visits JOIN targets USING (country) GROUP BY 1"
    assert len(asked.rows("lake", across)) == 4
    joined = "SELECT c.country, count(*) FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY 1"
    assert len(asked.rows("sample", joined)) == 4


def test_a_second_start_keeps_everything_and_tells_no_password(home: EngineHome) -> None:
    first = start(home)
    asked = client(home, first)
    query = asked.submit("lake", "SELECT count(*) FROM visits").json()
    first.terminate()
    again = start(home)
    assert "password" not in again.log
    asked = client(home, first)
    assert asked.page(query["id"])["rows"] == [[1200]]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_quickly_and_quietly(home: EngineHome, number: signal.Signals) -> None:
    command = start(home)
    client(home, command).rows("lake", "SELECT 1 AS one")
    begun = time.monotonic()
    command.process.send_signal(number)
    assert command.process.wait(10) == 0
    assert time.monotonic() - begun < 5
    assert "Traceback" not in command.log


def test_a_second_engine_on_the_same_folder_is_refused(home: EngineHome) -> None:
    start(home)
    code, log = home.run("serve", "--embedded", "--data", str(data(home)), "--port", "0")
    assert (code, "Another engine uses" in log, "--data" in log, "Traceback" in log) == (
        78,
        True,
        True,
        False,
    )


def test_a_port_in_use_is_told_before_anything_is_made(home: EngineHome) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        code, log = home.run("serve", "--embedded", "--data", str(data(home)), "--port", port)
    assert (code, f"Port {port}" in log, "--port" in log, "Traceback" in log) == (78, True, True, False)
    assert [file.name for file in data(home).iterdir()] == ["lock"]


@pytest.mark.parametrize("place", ["/proc/nowhere", "/dev/null", "/dev/null/below"])
def test_a_folder_that_cannot_be_used_is_told(home: EngineHome, place: str) -> None:
    code, log = home.run("serve", "--embedded", "--data", place)
    assert (code, place in log, "--data" in log, "Traceback" in log) == (78, True, True, False)


@pytest.mark.parametrize(("source", "sql"), [("sample", ENDLESS), ("lake", ENDLESS_DUCKDB)])
def test_a_query_that_was_running_at_a_kill_ends_after_the_next_start(
    home: EngineHome, source: str, sql: str
) -> None:
    first = start(home)
    asked = client(home, first)
    query = asked.submit(source, sql, wait_s=0, timeout_s=3).json()
    eventually("it runs", lambda: asked.query(query["id"])["state"] == "running", 10)
    first.process.kill()
    first.process.wait()
    start(home)
    asked = client(home, first)
    assert asked.query(query["id"])["state"] in {"queued", "running"}
    final = {"succeeded", "failed", "timed_out", "cancelled"}
    eventually("it ends", lambda: asked.query(query["id"])["state"] in final, 60, every_s=0.2)
    ended = asked.query(query["id"])
    assert (ended["state"], ended["attempt"]) == ("timed_out", 2), ended
    assert asked.rows(source, "SELECT 1 AS one") == [[1]]


def test_no_secret_of_the_folder_is_readable_by_others(home: EngineHome) -> None:
    start(home)
    secrets = [file for file in (data(home) / "secrets").rglob("*") if file.is_file()]
    assert len(secrets) == 2
    assert {file.stat().st_mode & 0o077 for file in secrets} == {0}
    assert data(home).stat().st_mode & 0o077 == 0


def test_the_health_of_a_fresh_engine_is_ok(home: EngineHome) -> None:
    start(home)
    answer = httpx.get(f"{home.url}/health").json()
    assert answer["status"] == "ok", answer
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", httpx.get(f"{home.url}/version").json()["version"])
