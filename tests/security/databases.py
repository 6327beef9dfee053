"""The sample databases of the corpora, live: the same rows in PostgreSQL, MariaDB, SQLite and DuckDB."""

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import psycopg
import pyarrow as pa

from insight_engine.adapters.sources import open_source
from insight_engine.domain.credentials import SourceCredential
from insight_engine.domain.query import QueryLimits
from insight_engine.domain.sources import DataSource, Dialect
from insight_engine.ports import Source
from insight_engine.sqlguard import PreparedQuery
from insight_engine.sqlguard.sealed import Facts
from security.corpora import FOLDER, source
from security.logins import make_mysql_reader, make_postgres_reader
from support.mariadb import MariadbServer
from support.servers import PostgresServer

READER_PASSWORD = "reader-only"
_SCHEMA = FOLDER / "schema.sql"
_WORDS = {
    Dialect.POSTGRES: {"JSON": "jsonb", "MOMENT": "timestamp", "REAL": "double precision", "LIST": "text[]"},
    Dialect.MYSQL: {"JSON": "json", "MOMENT": "datetime", "REAL": "double", "LIST": "json"},
    Dialect.SQLITE: {"JSON": "text", "MOMENT": "text", "REAL": "real", "LIST": "text"},
    Dialect.DUCKDB: {"JSON": "json", "MOMENT": "timestamp", "REAL": "double", "LIST": "text[]"},
}
_PRIVATE = (
    "CREATE SEQUENCE orders_id_seq",
    "CREATE SCHEMA private",
    "CREATE TABLE private.salaries (id int)",
)


def tables(dialect: Dialect) -> list[str]:
    """The statements that make and fill the sample tables."""
    text = re.sub(
        r"LIST\(([^)]*)\)", lambda match: _list(dialect, match[1].split(",")), _SCHEMA.read_text("utf-8")
    )
    text = re.sub(r"\b(JSON|MOMENT|REAL|LIST)\b", lambda match: _WORDS[dialect][match[1]], text)
    return [line for line in text.splitlines() if not line.startswith("--")]


def _list(dialect: Dialect, items: list[str]) -> str:
    if dialect is Dialect.POSTGRES:
        return f"'{{{','.join(items)}}}'"
    if dialect is Dialect.DUCKDB:
        return f"[{', '.join(map(repr, items))}]"
    return f"'{json.dumps(items)}'"


def fill_postgres(server: PostgresServer) -> None:
    with psycopg.connect(server.admin_uri(), autocommit=True) as admin:
        for statement in (*tables(Dialect.POSTGRES), *_PRIVATE):
            admin.execute(statement.encode())
    make_postgres_reader(server, READER_PASSWORD)


def fill_mysql(server: MariadbServer) -> None:
    with contextlib.closing(server.admin()) as admin, admin.cursor() as cursor:
        cursor.execute("CREATE DATABASE main CHARACTER SET utf8mb4")
        cursor.execute("CREATE DATABASE private")
        cursor.execute("CREATE TABLE private.salaries (id int)")
        cursor.execute("USE main")
        cursor.execute("SET sql_mode = 'ANSI_QUOTES'")
        for statement in tables(Dialect.MYSQL):
            cursor.execute(statement)
    make_mysql_reader(server, READER_PASSWORD)


def fill_sqlite(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript("\n".join(tables(Dialect.SQLITE)))


def fill_duckdb(path: Path) -> None:
    with contextlib.closing(duckdb.connect(str(path))) as database:
        for statement in tables(Dialect.DUCKDB):
            database.execute(statement)


class Live:
    """One live sample database and the adapter over it."""

    def __init__(
        self, dialect: Dialect, path: Path | None = None, credential: SourceCredential | None = None
    ) -> None:
        self.dialect = dialect
        self.data_source: DataSource = source(dialect, None if path is None else str(path))
        self.source: Source = open_source(self.data_source, credential)

    def rows(self, prepared: PreparedQuery) -> list[dict[str, Any]]:
        return [row for batch in self.batches(prepared) for row in batch.to_pylist()]

    def batches(self, prepared: PreparedQuery) -> Iterator[pa.RecordBatch]:
        return self.source.stream(prepared, query_id=str(uuid4()))

    def unjudged(self, sql: str, timeout_s: float) -> PreparedQuery:
        """What the guard would never seal: the statement as it stands, for tests of what lies behind it."""
        import importlib

        stamp = importlib.import_module("insight_engine.sqlguard.prepare")._seal
        facts = Facts(sql, self.data_source, (), QueryLimits(timeout_s=timeout_s), (), "unjudged")
        sealed: PreparedQuery = stamp(facts)
        return sealed
