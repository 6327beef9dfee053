"""Live databases for the corpora, one of each for the whole run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from insight_engine.domain.credentials import SourceCredential
from insight_engine.domain.sources import Dialect
from security.corpora import CANARY, CANARY_TEXT
from security.databases import READER_PASSWORD, Live, fill_duckdb, fill_mysql, fill_postgres, fill_sqlite
from support.mariadb import MariadbServer
from support.servers import PostgresServer


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        fill_postgres(server)
        yield server


@pytest.fixture(scope="session")
def reader(postgres_server: PostgresServer) -> SourceCredential:
    return SourceCredential(
        host="127.0.0.1",
        port=postgres_server.port,
        dbname="postgres",
        username="reader",
        password=READER_PASSWORD,
    )


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariadbServer]:
    with MariadbServer() as server:
        fill_mysql(server)
        yield server


@pytest.fixture(scope="session")
def mysql_reader(mariadb_server: MariadbServer) -> SourceCredential:
    return SourceCredential(
        host="127.0.0.1",
        port=mariadb_server.port,
        dbname="main",
        username="reader",
        password=READER_PASSWORD,
    )


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    fill_sqlite(folder / "sample.sqlite")
    fill_duckdb(folder / "sample.duckdb")
    return folder


@pytest.fixture(scope="session")
def live(
    reader: SourceCredential, mysql_reader: SourceCredential, files: Path
) -> Iterator[dict[Dialect, Live]]:
    databases = {
        Dialect.POSTGRES: Live(Dialect.POSTGRES, credential=reader),
        Dialect.MYSQL: Live(Dialect.MYSQL, credential=mysql_reader),
        Dialect.SQLITE: Live(Dialect.SQLITE, files / "sample.sqlite"),
        Dialect.DUCKDB: Live(Dialect.DUCKDB, files / "sample.duckdb"),
    }
    yield databases
    for database in databases.values():
        database.source.close()


@pytest.fixture(scope="session")
def canary_file() -> Iterator[Path]:
    yield CANARY
    CANARY.unlink(missing_ok=True)


@pytest.fixture
def canary(canary_file: Path) -> None:
    canary_file.write_text(CANARY_TEXT)
    canary_file.chmod(0o644)
