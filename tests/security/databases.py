"""The sample databases of the corpora, live: the same rows in PostgreSQL, SQLite and DuckDB."""

import contextlib
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
from security.corpora import source

READER_PASSWORD = "reader-only"
_TABLES = """
CREATE TABLE customers (id int, name text, email text, country text, created_on date, attributes {json});
CREATE TABLE products (id int, name text, category text, price numeric(10, 2));
CREATE TABLE orders (id int, customer_id int, ordered_at timestamp,
  status text, total numeric(10, 2), note text);
CREATE TABLE order_items (order_id int, product_id int, quantity int, unit_price numeric(10, 2));
CREATE TABLE employees (id int, name text, manager_id int, department text,
  salary numeric(10, 2), hired_on date);
CREATE TABLE events (id int, customer_id int, kind text, happened_at timestamp, payload {json});
CREATE TABLE "Mixed Case" (id int, "Full Name" text, "select" text, "año" int);
INSERT INTO customers VALUES (1, 'Ann', 'ann@example.com', 'DE', '2025-01-02', '{{"vip": "yes"}}'),
  (2, 'Bob', 'bob@example.com', 'DE', '2025-03-04', '{{}}'),
  (3, 'Cy', 'cy@example.org', 'FR', '2025-05-06', '{{}}');
INSERT INTO products VALUES (1, 'Pen', 'office', 1.50),
  (2, 'Desk', 'furniture', 150), (3, 'Lamp', 'furniture', 40);
INSERT INTO orders VALUES (1, 1, '2026-01-01 10:00:00', 'paid', 151.50, NULL),
  (2, 1, '2026-01-08 11:00:00', 'open', 40, 'gift'), (3, 2, '2026-02-01 12:30:00', 'paid', 15, NULL);
INSERT INTO order_items VALUES (1, 1, 1, 1.50), (1, 2, 1, 150), (2, 3, 1, 40), (3, 1, 10, 1.50);
INSERT INTO employees VALUES (1, 'Eve', NULL, 'board', 9000, '2020-01-01'),
  (2, 'Dan', 1, 'sales', 4000, '2021-01-01'), (3, 'Fay', 1, 'sales', 4500, '2022-01-01');
INSERT INTO events VALUES (1, 1, 'login', '2026-01-01 09:00:00',
  '{{"page": "/home", "tags": ["a", "b"], "device": {{"os": "linux"}}, "items": [1]}}'),
  (2, 1, 'buy', '2026-01-01 10:00:00', '{{"page": "/cart", "tags": []}}');
INSERT INTO "Mixed Case" VALUES (1, 'Ann Other', 'x', 2026);
"""
_ROLE = f"""
CREATE ROLE reader LOGIN NOINHERIT PASSWORD '{READER_PASSWORD}';
GRANT USAGE ON SCHEMA public TO reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
CREATE SEQUENCE orders_id_seq;
CREATE SCHEMA private;
CREATE TABLE private.salaries (id int);
"""


def fill_postgres(admin_uri: str) -> None:
    with psycopg.connect(admin_uri, autocommit=True) as admin:
        admin.execute(_TABLES.format(json="jsonb"))
        admin.execute(_ROLE)


def fill_sqlite(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript(_TABLES.format(json="text"))


def fill_duckdb(path: Path) -> None:
    with contextlib.closing(duckdb.connect(str(path))) as database:
        database.execute(_TABLES.format(json="json"))


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
