"""Engines under test, and the PostgreSQL source they are asked about."""

import secrets
from dataclasses import dataclass

import psycopg

from support.engine_client import EngineClient
from support.engine_process import Command, EngineHome
from support.servers import PostgresServer, RedisServer

APP_LOGIN = "ie_app_a"
READER_PASSWORD = secrets.token_urlsafe(16)
SALES = {"name": "sales", "dialect": "postgres", "schemas": ["public"], "roles": ["analyst", "admin"]}
SECRET_SALES = {"name": "hidden", "dialect": "postgres", "schemas": ["public"], "roles": ["viewer"]}


@dataclass
class Service:
    """A whole service, its servers, and what tests need to know of it."""

    home: EngineHome
    postgres: PostgresServer
    redis: RedisServer
    api: Command
    worker: Command

    def store(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(self.postgres.admin_uri("insight"), autocommit=True)


def prepare_postgres(home: EngineHome, postgres: PostgresServer) -> None:
    """Mount the secrets of a managed database, and make the source that is asked."""
    server = {"host": "127.0.0.1", "port": str(postgres.port)}
    home.put("database-admin", **server, dbname="postgres", username="postgres", password=postgres.password)
    password = f"{secrets.token_urlsafe(12)}%/@ x"
    home.put("database", **server, dbname="insight", username=APP_LOGIN, password=password)
    with psycopg.connect(postgres.admin_uri(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE sales")
        admin.execute(f"CREATE ROLE sales_reader LOGIN PASSWORD '{READER_PASSWORD}'".encode())
    with psycopg.connect(postgres.admin_uri("sales"), autocommit=True) as admin:
        admin.execute(
            "CREATE TABLE orders AS SELECT n AS id, n * 2 AS amount FROM generate_series(1, 50000) n;"
            "GRANT SELECT ON orders TO sales_reader"
        )
    home.put("source-sales", **server, dbname="sales", username="sales_reader", password=READER_PASSWORD)
    home.put_sources(SALES, SECRET_SALES)


@dataclass
class Asked:
    """An engine and a source of it with numbers from 1 to `rows`."""

    client: EngineClient
    source: str
    rows: int
    numbers: str


def mount_broker(home: EngineHome, redis: RedisServer) -> None:
    """Mount the secret of a managed broker."""
    home.put(
        "broker", host="127.0.0.1", port=str(redis.port), username=redis.username, password=redis.password
    )
