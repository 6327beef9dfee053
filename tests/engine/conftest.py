"""Two engines to test: `service` (PostgreSQL, Redis, Celery, gunicorn, all real) and `embedded`.

Servers and processes live for a test module; a test that breaks one brings it back.
"""

from collections.abc import Iterator

import pytest

from support.engine_client import EngineClient
from support.engine_process import ADMIN, EngineHome
from support.engines import Asked, Service, mount_broker, prepare_postgres
from support.servers import PostgresServer, RedisServer


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with PostgresServer() as postgres, RedisServer() as redis, EngineHome() as home:
        prepare_postgres(home, postgres)
        mount_broker(home, redis)
        code, log = home.run("migrate")
        assert code == 0, log
        yield Service(home, postgres, redis, home.start_api(), home.start_worker())


@pytest.fixture(scope="module")
def embedded_home() -> Iterator[tuple[EngineHome, str]]:
    with EngineHome() as home:
        command = home.start(
            "serve", "--embedded", "--data", str(home.path / "data"), "--port", str(home.api_port)
        )
        home.wait_for(f"{home.url}/health", command)
        yield home, command.log.split("with the password ")[1].split()[0]


@pytest.fixture(scope="module", params=["embedded", "service"])
def asked(request: pytest.FixtureRequest) -> Iterator[Asked]:
    if request.param == "embedded":
        home, password = request.getfixturevalue("embedded_home")
        asked = Asked(
            EngineClient(home.url, ADMIN, password), "sample", 1000, "SELECT id FROM orders ORDER BY id"
        )
    else:
        service: Service = request.getfixturevalue("service")
        asked = Asked(service.home.client(), "sales", 50_000, "SELECT id FROM orders ORDER BY id")
    yield asked
    asked.client.close()
