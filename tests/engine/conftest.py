"""Two engines to test: `service` (PostgreSQL, Redis, Celery, gunicorn, all real) and `embedded`.

Servers and processes live for a test module; a test that breaks one brings it back.
"""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from insight_engine.adapters.config.endpoints import DatabaseLogin
from insight_engine.adapters.store.database import Database, open_postgres, open_sqlite
from insight_engine.adapters.store.migrate_sqlite import migrate_sqlite
from support.engine_client import EngineClient
from support.engine_process import ADMIN, EngineHome
from support.engines import Asked, Service, mount_broker, prepare_postgres
from support.jobs import add_admin, migrated_postgres
from support.servers import PostgresServer, RedisServer
from support.users import Users


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


@pytest.fixture(scope="module")
def users(asked: Asked, request: pytest.FixtureRequest) -> Users:
    """Return what adds second users to the engine that is asked."""
    if asked.source == "sample":
        home, _ = request.getfixturevalue("embedded_home")
        return Users(home, home.path / "data")
    return Users(request.getfixturevalue("service").home)


@pytest.fixture(scope="module")
def postgres_login() -> Iterator[DatabaseLogin]:
    with migrated_postgres() as login:
        yield login


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "store.db"
    migrate_sqlite(path)
    return path


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty metadata store with one admin, of both kinds."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "store.db")
        database = open_sqlite(tmp_path / "store.db")
    else:
        login: DatabaseLogin = request.getfixturevalue("postgres_login")
        with psycopg.connect(login.conninfo) as connection:
            connection.execute(
                "DELETE FROM insight.control_requests; DELETE FROM insight.outbox;"
                "DELETE FROM insight.queries; DELETE FROM insight.users"
            )
        database = open_postgres(lambda: login, pool_size=5)
    await add_admin(database)
    yield database
    await database.close()
