"""The row rules that docs/data-sources.md tells a DBA to write, run as they stand there."""

import re
from pathlib import Path
from uuid import uuid4

import psycopg

from insight_engine.domain.credentials import SourceCredential
from insight_engine.domain.sources import Caller, Dialect, Role
from security.databases import Live
from support.servers import PostgresServer

_GUIDE = Path(__file__).parents[2] / "docs" / "data-sources.md"
_PASSWORD = "row-reader"
_BEFORE = (
    "CREATE SCHEMA sales",
    "CREATE TABLE sales.orders (id int, owner text, region text)",
    "INSERT INTO sales.orders VALUES (1, 'ann', 'north'), (2, 'bob', 'north'), (3, 'bob', 'south')",
    "CREATE VIEW sales.leaky AS SELECT * FROM sales.orders",
    "CREATE VIEW sales.careful WITH (security_invoker = true) AS SELECT * FROM sales.orders",
    f"CREATE ROLE insight_reader LOGIN PASSWORD '{_PASSWORD}'",
    f"CREATE ROLE shop LOGIN PASSWORD '{_PASSWORD}'",
    "GRANT USAGE ON SCHEMA sales TO insight_reader, shop",
    "GRANT SELECT ON ALL TABLES IN SCHEMA sales TO insight_reader, shop",
)


def test_the_guides_policies_show_each_caller_only_their_rows(postgres_server: PostgresServer) -> None:
    guide = _GUIDE.read_text("utf-8")
    (policies,) = re.findall(r"```sql\n(ALTER TABLE sales\.orders ENABLE.*?)```", guide, re.DOTALL)
    with psycopg.connect(postgres_server.admin_uri(), autocommit=True) as admin:
        for statement in _BEFORE:
            admin.execute(statement.encode())
        try:
            admin.execute(policies.encode())
            database = Live(Dialect.POSTGRES, credential=_login(postgres_server))
            try:
                _check(database)
            finally:
                database.source.close()
            with psycopg.connect(postgres_server.admin_uri(), user="shop", password=_PASSWORD) as other:
                assert other.execute("SELECT count(*) FROM sales.orders").fetchone() == (3,)
        finally:
            admin.execute("DROP SCHEMA sales CASCADE; DROP OWNED BY insight_reader, shop")
            admin.execute("DROP ROLE insight_reader, shop")


def _login(server: PostgresServer) -> SourceCredential:
    return SourceCredential(
        host="127.0.0.1",
        port=server.port,
        dbname="postgres",
        username="insight_reader",
        password=_PASSWORD,
    )


def _check(database: Live) -> None:
    assert _owners(database, "sales.orders", Caller("ann", Role.ANALYST)) == ["ann"]
    assert _owners(database, "sales.orders", Caller("bob", Role.ANALYST)) == ["bob", "bob"]
    assert _owners(database, "sales.orders", Caller("eve", Role.ANALYST)) == []
    assert _owners(database, "sales.orders", None) == []
    assert _owners(database, "sales.orders", Caller("eve", Role.ADMIN)) == ["ann", "bob", "bob"]
    assert _owners(database, "sales.careful", Caller("ann", Role.ANALYST)) == ["ann"]
    # Why the guide asks for security_invoker.
    assert _owners(database, "sales.leaky", Caller("ann", Role.ANALYST)) == ["ann", "bob", "bob"]


def _owners(database: Live, table: str, caller: Caller | None) -> list[str]:
    prepared = database.unjudged(f"SELECT owner FROM {table} ORDER BY id", 10)
    batches = database.source.stream(prepared, query_id=str(uuid4()), caller=caller)
    return [row["owner"] for batch in batches for row in batch.to_pylist()]
