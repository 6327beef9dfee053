"""The whole path with results in an S3-compatible store: read, away, lost."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from support.engine_client import EngineClient
from support.engine_process import EngineHome
from support.engines import mount_broker, prepare_postgres
from support.s3 import S3Server
from support.servers import PostgresServer, RedisServer
from support.waiting import eventually

NUMBERS = "SELECT id FROM orders ORDER BY id"


@dataclass
class S3Service:
    client: EngineClient
    s3: S3Server


@pytest.fixture(scope="module")
def service_s3() -> Iterator[S3Service]:
    with PostgresServer() as postgres, RedisServer() as redis, S3Server() as s3, EngineHome() as home:
        prepare_postgres(home, postgres)
        mount_broker(home, redis)
        home.put("results", **s3.secret(prefix="engine/test"))
        code, log = home.run("migrate")
        assert code == 0, log
        for command, port in (("serve", home.api_internal), ("worker", home.worker_internal)):
            started = home.start(
                command, internal_port=port, INSIGHT_RESULT_STORE="s3", INSIGHT_API_PROCESSES="1"
            )
            path = "ready" if command == "worker" else "live"
            home.wait_for(f"http://127.0.0.1:{port}/health/{path}", started)
        home.wait_for(f"{home.url}/health/live", started)
        client = home.client()
        yield S3Service(client, s3)
        client.close()


def submit(service: S3Service) -> str:
    """Run a query whose result shares nothing with another's."""
    sql = f"SELECT id, '{secrets.token_hex(8)}' AS mark FROM orders ORDER BY id"
    query = service.client.submit("sales", sql).json()
    assert query["state"] == "succeeded", query
    return str(query["id"])


def test_a_result_is_kept_in_the_store_and_read_from_it(service_s3: S3Service) -> None:
    query = submit(service_s3)
    stored = [key for key in service_s3.s3.stored() if query in key]
    assert len(stored) >= 2
    assert all(key.startswith("engine/test/20") for key in stored)
    page = service_s3.client.page(query, limit=3)
    assert [row[0] for row in page["rows"]] == [1, 2, 3]
    whole = service_s3.client.http.get(f"/api/v1/queries/{query}/results?format=csv").text
    assert whole.count("\n") == 50_001


def test_a_result_that_lost_an_object_is_gone_and_stays_so(service_s3: S3Service) -> None:
    query = submit(service_s3)
    service_s3.s3.delete(next(key for key in service_s3.s3.stored() if query in key and key.endswith("/1")))
    path = f"/api/v1/queries/{query}"
    answer = service_s3.client.http.get(f"{path}/export?format=csv")
    assert (answer.status_code, answer.json()["code"]) == (410, "result_lost")
    assert service_s3.client.http.get(path).json()["state"] == "expired"
    assert service_s3.client.http.get(f"{path}/results").status_code == 410


def test_a_store_that_is_away_is_said_soon_and_nothing_is_lost(service_s3: S3Service) -> None:
    query = submit(service_s3)
    path = f"/api/v1/queries/{query}"
    service_s3.s3.stop()
    for form in ("json", "csv"):
        answer = service_s3.client.http.get(f"{path}/results?format={form}", timeout=20)
        assert (answer.status_code, answer.json()["code"]) == (503, "result_store_unavailable")
        assert answer.headers["retry-after"]
    assert service_s3.client.http.get(path).json()["state"] == "succeeded"
    service_s3.s3.start()
    eventually("queries work again", lambda: submit(service_s3), within_s=30)
