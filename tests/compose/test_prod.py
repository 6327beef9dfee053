"""The production deployment as the engine really runs it, and staging beside it. In this order."""

import os
import secrets
import signal
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from dev.cluster.errors import ClusterError
from dev.compose.deployments import Deployment, Docker, make_secrets
from support.containers import containers, left_behind, processes, service_of
from support.engine_client import EngineClient
from support.waiting import eventually

PROJECT = "insight-test-prod"
STAGE_PROJECT = "insight-test-stage"
API = "http://localhost:8000"
GIB = 1024**3
RUNNING = {"api", "celery_worker", "flower", "postgres", "redis", "vector_store"}
SLOW = (  # some ten seconds
    "SELECT count(*) FROM orders a CROSS JOIN orders b CROSS JOIN customers c CROSS JOIN customers d "
    "WHERE d.id <= 2 AND a.amount + b.amount + c.id < d.id"
)


@pytest.fixture(scope="module")
def prod(docker: Docker, checkout: Path) -> Iterator[Deployment]:
    more = ("examples/compose-source.yml", "tests/compose/sample-database.yml")
    deployment = Deployment("prod", docker, checkout, PROJECT, more)
    make_secrets(deployment)
    folder = checkout / "docker/secrets/prod"
    password = secrets.token_hex(24)
    (folder / "sales-password").write_text(password)
    (folder / "source-sales-uri").write_text(f"postgresql://sales_reader:{password}@postgres:5432/sales")
    for name in ("sales-password", "source-sales-uri"):
        (folder / name).chmod(0o444)
    try:
        deployment.up()
        yield deployment
    finally:
        deployment.run("down", "--volumes")


def admin(deployment: Deployment, address: str = API) -> EngineClient:
    return EngineClient(address, "admin", deployment.secret("admin-password"))


def test_four_gunicorn_workers_serve(prod: Deployment) -> None:
    assert httpx.get(f"{API}/health").json()["status"] == "ok"
    (api,) = containers(prod, "api")
    serving = [line for line in processes(prod, api) if " serve" in line]
    assert len(serving) == 1 + 4, serving


def test_two_workers_run_eight_queries_each(prod: Deployment) -> None:
    workers = containers(prod, "celery_worker")
    assert len(workers) == 2
    for worker in workers:
        working = [line for line in processes(prod, worker) if " worker" in line]
        assert len(working) == 1 + 8, working


def test_the_engine_enforces_the_limits(prod: Deployment) -> None:
    for container in containers(prod):
        host = container["HostConfig"]
        assert (host["Memory"], host["MemorySwap"]) == (2 * GIB, 2 * GIB), container["Name"]
        assert host["PidsLimit"] == 512


def test_every_container_is_locked_down(prod: Deployment) -> None:
    for container in containers(prod):
        host, service = container["HostConfig"], service_of(container)
        assert host["ReadonlyRootfs"] is True, service
        assert host["CapDrop"] == ["ALL"], service
        assert host["SecurityOpt"] == ["no-new-privileges:true"], service
        assert host["Privileged"] is False, service
        assert host["LogConfig"]["Config"] == {"max-file": "3", "max-size": "10m"}, service
        if service in RUNNING:
            assert host["CapAdd"] is None, service
            assert not container["Config"]["User"].startswith("0"), service
            assert host["RestartPolicy"]["Name"] == "unless-stopped", service
            assert container["Config"]["Healthcheck"]["Interval"] == 5 * 10**9, service


def test_nothing_of_the_source_is_mounted(prod: Deployment) -> None:
    for container in containers(prod):
        for mount in container["Mounts"]:
            read_only_file = mount["Type"] == "bind" and not mount["RW"]
            assert read_only_file or mount["Type"] == "volume", mount
            assert mount["Destination"].startswith(
                ("/etc/insight/", "/etc/sales/", "/var/run/", "/var/lib/postgresql", "/data")
            ), mount


def test_only_the_api_is_open_to_others(prod: Deployment) -> None:
    bound = {
        (service_of(container), port, binding["HostIp"], binding["HostPort"])
        for container in containers(prod)
        for port, bindings in container["HostConfig"]["PortBindings"].items()
        for binding in bindings or []
    }
    assert bound == {
        ("api", "8000/tcp", "", "8000"),
        ("flower", "5555/tcp", "127.0.0.1", "5555"),
        ("postgres", "5432/tcp", "127.0.0.1", "5432"),
        ("redis", "6379/tcp", "127.0.0.1", "6379"),
        ("vector_store", "8001/tcp", "127.0.0.1", "8001"),
    }
    # An address of this machine that is not loopback: the gateway of the API's own network.
    (api,) = containers(prod, "api")
    outside = api["NetworkSettings"]["Networks"][f"{PROJECT}_edge"]["Gateway"]
    socket.create_connection((outside, 8000), timeout=5).close()
    for port in (5555, 5432, 6379, 8001):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((outside, port), timeout=5)


def test_services_that_need_not_meet_share_no_network(prod: Deployment) -> None:
    found = prod.docker.run(
        *("exec", containers(prod, "flower")[0]["Id"], "python3", "-c"),
        "import socket\ntry: socket.gethostbyname('postgres')\nexcept OSError: print('unknown')",
    )
    assert found.strip() == "unknown"


def test_no_secret_shows_in_what_the_engine_tells(prod: Deployment) -> None:
    folder = prod.folder / "docker/secrets/prod"
    values = {path.name: path.read_text().strip() for path in folder.iterdir() if "username" not in path.name}
    assert len(values) >= 10
    told = prod.docker.run("inspect", *(each["Id"] for each in containers(prod)))
    told += prod.run("config") + prod.run("logs")
    assert [name for name, value in values.items() if value in told] == []


def test_a_killed_container_comes_back(prod: Deployment) -> None:
    (before,) = containers(prod, "api")
    os.kill(before["State"]["Pid"], signal.SIGKILL)

    def back() -> bool:
        (now,) = containers(prod, "api")
        return (
            bool(now["RestartCount"] == before["RestartCount"] + 1)
            and now["State"]["Health"]["Status"] == "healthy"
        )

    eventually("the restart", back, 120)


def test_down_lets_a_running_query_end(prod: Deployment) -> None:
    client = admin(prod)
    query = client.submit("sales", SLOW, wait_s=0).json()
    eventually("the query to run", lambda: client.query(query["id"])["state"] == "running", 60)
    began = datetime.now(UTC)
    prod.run("down")
    client.close()
    prod.up()
    client = admin(prod)
    ended = client.query(query["id"])
    assert (ended["state"], ended["attempt"]) == ("succeeded", 1), ended
    assert datetime.fromisoformat(ended["finished_at"]) > began
    assert client.page(query["id"])["rows"]
    client.close()


def test_staging_runs_beside_it(prod: Deployment, docker: Docker, checkout: Path) -> None:
    stage = Deployment("stage", docker, checkout, STAGE_PROJECT)
    make_secrets(stage)
    try:
        stage.up()
        assert httpx.get("http://localhost:8100/health").json()["instance"] == "vanna-stage"
        assert httpx.get(f"{API}/health").json()["status"] == "ok"
        own = admin(stage, "http://localhost:8100")
        token = own.http.headers["Authorization"]
        assert httpx.get(f"{API}/api/v1/auth/me", headers={"Authorization": token}).status_code == 401
        own.close()
        assert {each["HostConfig"]["Memory"] for each in containers(stage)} == {GIB}
    finally:
        stage.run("down", "--volumes")
    assert left_behind(stage, STAGE_PROJECT) == []
    assert httpx.get(f"{API}/health").json()["status"] == "ok"
    assert len(containers(prod)) == len(RUNNING) + 1 + 2


def test_secrets_of_development_are_refused(docker: Docker, checkout: Path) -> None:
    stage = Deployment("stage", docker, checkout, STAGE_PROJECT)
    make_secrets(Deployment("dev", docker, checkout))
    secret = checkout / "docker/secrets/stage/jwt-keyset.json"
    secret.unlink()
    secret.write_text((checkout / "docker/secrets/dev/jwt-keyset.json").read_text())
    secret.chmod(0o444)
    try:
        with pytest.raises(ClusterError, match="migrate"):
            stage.up()
        said = stage.run("logs", "migrate")
        assert "keyset.json was made for development" in said
        assert "docker/make-secrets.sh" in said
        (migrate,) = containers(stage, "migrate")
        assert migrate["State"]["ExitCode"] == 78
        assert {each["State"]["Status"] for each in containers(stage, "api")} == {"created"}
    finally:
        stage.run("down", "--volumes")
