"""The development deployment, from `up` to a change of source that shows, to `down`. In this order."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from dev.compose.deployments import Deployment, Docker, make_secrets
from support.containers import containers, left_behind, processes, service_of
from support.engine_client import EngineClient
from support.waiting import eventually

PROJECT = "insight-test-dev"
API = "http://localhost:8000"


@pytest.fixture(scope="module")
def dev(docker: Docker, checkout: Path) -> Iterator[Deployment]:
    deployment = Deployment("dev", docker, checkout, PROJECT)
    make_secrets(deployment)
    try:
        deployment.up()
        yield deployment
    finally:
        deployment.run("down", "--volumes")


def test_it_is_healthy(dev: Deployment) -> None:
    assert httpx.get(f"{API}/health").json()["status"] == "ok"
    states = {service_of(each): each["State"] for each in containers(dev)}
    assert {name for name, state in states.items() if state["Status"] == "running"} == {
        "api",
        "celery_worker",
        "flower",
        "postgres",
        "redis",
        "vector_store",
    }
    assert {state["ExitCode"] for state in states.values() if state["Status"] == "exited"} == {0}


def test_a_person_logs_in_and_asks_the_sample(dev: Deployment) -> None:
    client = EngineClient(API, "admin", dev.secret("admin-password"))
    assert client.rows("sales", "SELECT count(*) FROM orders") == [[1000]]
    client.close()


def test_it_is_small_and_talkative(dev: Deployment) -> None:
    assert {each["HostConfig"]["Memory"] for each in containers(dev)} == {512 * 1024**2}
    (api,) = containers(dev, "api")
    (worker,) = containers(dev, "celery_worker")
    # The reloader, gunicorn and its one worker.
    assert len([line for line in processes(dev, api) if " serve" in line]) == 3
    settings = dict(entry.split("=", 1) for entry in worker["Config"]["Env"])
    assert (settings["INSIGHT_WORKER_CONCURRENCY"], settings["INSIGHT_LOG_LEVEL"]) == ("2", "DEBUG")


def test_flower_shows_the_worker_to_who_logs_in(dev: Deployment) -> None:
    address = "http://localhost:5555"
    assert httpx.get(f"{address}/metrics").status_code == 401
    assert httpx.get(f"{address}/api/tasks").status_code == 401
    login = (dev.secret("flower-username"), dev.secret("flower-password"))
    (worker,) = containers(dev, "celery_worker")
    name = f"celery@{worker['Config']['Hostname']}"
    eventually(
        "Flower to hear of the worker", lambda: name in httpx.get(f"{address}/workers", auth=login).text, 60
    )
    refused = httpx.post(f"{address}/api/worker/shutdown/{name}", auth=login)
    assert (refused.status_code, refused.text) == (403, "Read only mode is enabled")


def test_the_vector_store_answers(dev: Deployment) -> None:
    assert httpx.get("http://127.0.0.1:8001/api/v2/heartbeat").status_code == 200
    assert dev.name == "dev"


def test_a_change_of_source_shows_without_a_restart(dev: Deployment) -> None:
    (before,) = containers(dev, "api")
    source = dev.folder / "engine/insight_engine/__init__.py"
    source.write_text(source.read_text().replace('"0.1.0"', '"0.1.0+edited"'))

    def version() -> object:
        try:
            return httpx.get(f"{API}/health").json()["version"]
        except (httpx.HTTPError, ValueError):
            return None

    eventually("the reload", lambda: version() == "0.1.0+edited", 90)
    (after,) = containers(dev, "api")
    assert after["State"]["StartedAt"] == before["State"]["StartedAt"]


def test_logs_are_json_of_the_services_asked_for(dev: Deployment) -> None:
    printed = dev.run("logs", "--tail", "50", "api", "celery_worker")
    assert '"logger":"gunicorn.error"' in printed
    assert {line.split()[0] for line in printed.splitlines() if line} == {"api-1", "celery_worker-1"}


def test_down_leaves_nothing(dev: Deployment) -> None:
    assert left_behind(dev, PROJECT)
    dev.run("down", "--volumes")
    assert left_behind(dev, PROJECT) == []
