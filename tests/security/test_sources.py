"""How the adapters behave on live databases: ended from outside, bounded, tight-lipped."""

import threading
import time
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from insight_engine.adapters.sources import open_source
from insight_engine.domain.credentials import SourceCredential
from insight_engine.domain.query import QueryLimits
from insight_engine.domain.source_errors import (
    QueryCancelled,
    QueryFailed,
    QueryTimedOut,
    SourceError,
    SourceMisconfigured,
    SourceRefusedCredentials,
    SourceUnreachable,
)
from insight_engine.domain.sources import Caller, Dialect, Grants, Role
from insight_engine.sqlguard import NotPreparedError, PreparedQuery, prepare
from security.corpora import DEFAULT_SCHEMA, source
from security.databases import READER_PASSWORD, Live
from support.servers import PostgresServer, free_port

ENDLESS = {
    Dialect.MYSQL: (
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 900) "
        "SELECT count(*) FROM r a, r b, r c, r d"
    ),
    Dialect.POSTGRES: "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b",
    Dialect.SQLITE: (
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n) SELECT count(*) FROM r"
    ),
    Dialect.DUCKDB: "SELECT sum(a.range % 7 + b.range % 5) FROM range(9000000) a, range(9000000) b",
}
MANY = {
    Dialect.MYSQL: (
        "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 900) "
        "SELECT a.n FROM r a, r b LIMIT 200000"
    ),
    Dialect.POSTGRES: "SELECT n, n::text AS t FROM generate_series(1, 200000) AS g(n)",
    Dialect.SQLITE: (
        "WITH RECURSIVE r(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r WHERE n < 200000) SELECT n FROM r"
    ),
    Dialect.DUCKDB: "SELECT range AS n FROM range(200000)",
}
EVERY = pytest.mark.parametrize("dialect", list(Dialect))


def judged(live: Live, sql: str, timeout_s: float = 20, values: tuple[int | str, ...] = ()) -> PreparedQuery:
    return prepare(
        sql,
        source=live.data_source,
        grants=Grants(frozenset({DEFAULT_SCHEMA[live.dialect]})),
        limits=QueryLimits(rows=1_000_000, timeout_s=timeout_s),
        parameters=values,
    )


@EVERY
def test_a_deadline_ends_the_work(live: dict[Dialect, Live], dialect: Dialect) -> None:
    started = time.monotonic()
    with pytest.raises(QueryTimedOut):
        live[dialect].rows(judged(live[dialect], ENDLESS[dialect], timeout_s=0.3))
    assert time.monotonic() - started < 1.5


@EVERY
def test_a_cancel_ends_the_work_and_returns_when_it_is_gone(
    live: dict[Dialect, Live], dialect: Dialect
) -> None:
    database, query_id = live[dialect], str(uuid4())
    ended: list[BaseException] = []

    def ask() -> None:
        try:
            list(database.source.stream(judged(database, ENDLESS[dialect]), query_id=query_id))
        except SourceError as error:
            ended.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.2)
    started = time.monotonic()
    assert database.source.cancel(query_id)
    took = time.monotonic() - started
    thread.join(5)
    assert [type(error) for error in ended] == [QueryCancelled]
    assert took < 1


def test_a_cancel_works_from_another_process_than_the_one_that_asked(
    live: dict[Dialect, Live], reader: SourceCredential
) -> None:
    database, query_id = live[Dialect.POSTGRES], str(uuid4())
    ended: list[BaseException] = []

    def ask() -> None:
        try:
            list(database.source.stream(judged(database, ENDLESS[Dialect.POSTGRES]), query_id=query_id))
        except SourceError as error:
            ended.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(0.3)
    assert open_source(database.data_source, reader).cancel(query_id)
    thread.join(5)
    assert [type(error) for error in ended] == [QueryCancelled]


@EVERY
def test_batches_are_bounded(live: dict[Dialect, Live], dialect: Dialect) -> None:
    batches = list(live[dialect].batches(judged(live[dialect], MANY[dialect])))
    assert sum(batch.num_rows for batch in batches) == 200_000
    assert max(batch.num_rows for batch in batches) <= 65_536


@EVERY
def test_a_result_without_rows_still_has_its_columns(live: dict[Dialect, Live], dialect: Dialect) -> None:
    (batch,) = live[dialect].batches(judged(live[dialect], "SELECT id, name FROM customers WHERE id < 0"))
    assert (batch.num_rows, batch.schema.names) == (0, ["id", "name"])


@EVERY
def test_values_are_bound_not_spliced(live: dict[Dialect, Live], dialect: Dialect) -> None:
    database, value = live[dialect], "Ann' OR '1'='1"
    placeholder = "?" if dialect in {Dialect.SQLITE, Dialect.MYSQL} else "$1"
    query = judged(database, f"SELECT id FROM customers WHERE name = {placeholder}", values=(value,))
    assert database.rows(query) == []


@EVERY
def test_an_error_of_the_database_is_told_without_the_statement(
    live: dict[Dialect, Live], dialect: Dialect
) -> None:
    with pytest.raises(QueryFailed) as failed:
        live[dialect].rows(judged(live[dialect], "SELECT nothing_here, 'a secret literal' FROM customers"))
    assert "nothing_here" in failed.value.message
    assert "a secret literal" not in failed.value.message


@EVERY
def test_only_what_was_judged_for_this_source_runs(live: dict[Dialect, Live], dialect: Dialect) -> None:
    other = prepare(
        "SELECT 1", source=source(dialect, "/other"), grants=Grants(frozenset()), limits=QueryLimits()
    )
    with pytest.raises(SourceMisconfigured):
        live[dialect].rows(other)
    with pytest.raises(NotPreparedError):
        live[dialect].rows("SELECT 1")  # type: ignore[arg-type]


def test_leaving_early_ends_the_backends_work(
    live: dict[Dialect, Live], postgres_server: PostgresServer
) -> None:
    database = live[Dialect.POSTGRES]
    stream = database.batches(judged(database, "SELECT generate_series(1, 10000000) AS n"))
    next(iter(stream))
    stream.close()  # type: ignore[attr-defined]
    with psycopg.connect(postgres_server.admin_uri(), autocommit=True) as admin:
        deadline = time.monotonic() + 3
        while _active(admin) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert _active(admin) == 0


def _active(admin: "psycopg.Connection[tuple[int]]") -> int:
    row = admin.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'insight:%' AND state = 'active'"
    ).fetchone()
    return int(row[0]) if row else 0


def test_a_query_runs_read_only_under_its_own_name_for_its_caller(live: dict[Dialect, Live]) -> None:
    database = live[Dialect.POSTGRES]
    names = (
        "application_name",
        "transaction_read_only",
        "statement_timeout",
        "lock_timeout",
        "search_path",
        "insight.user",
        "insight.role",
        "insight.correlation_id",
    )
    columns = ", ".join(f"current_setting('{name}') AS c{n}" for n, name in enumerate(names))
    batches = database.source.stream(
        database.unjudged(f"SELECT {columns}", 7),
        query_id="q-1",
        caller=Caller("ann", Role.ANALYST),
        correlation_id="c-1",
    )
    (row,) = [tuple(row.values()) for batch in batches for row in batch.to_pylist()]
    assert row == ("insight:q-1", "on", "7s", "5s", 'pg_catalog, "public", pg_temp', "ann", "analyst", "c-1")


def test_row_level_rules_can_rely_on_the_caller(
    live: dict[Dialect, Live], postgres_server: PostgresServer
) -> None:
    with psycopg.connect(postgres_server.admin_uri(), autocommit=True) as admin:
        admin.execute("CREATE TABLE mine (owner text); INSERT INTO mine VALUES ('ann'), ('bob')")
        admin.execute("ALTER TABLE mine ENABLE ROW LEVEL SECURITY; GRANT SELECT ON mine TO reader")
        admin.execute("CREATE POLICY own ON mine USING (owner = current_setting('insight.user', true))")
    database = live[Dialect.POSTGRES]
    for user in ("ann", "bob"):
        caller = Caller(user, Role.ANALYST)
        batches = database.source.stream(
            judged(database, "SELECT owner FROM mine"), query_id=str(uuid4()), caller=caller
        )
        assert [row["owner"] for batch in batches for row in batch.to_pylist()] == [user]


def credential(server: PostgresServer, **changes: object) -> SourceCredential:
    given = {"host": "127.0.0.1", "port": server.port, "dbname": "postgres", "username": "reader"}
    return SourceCredential(**{**given, "password": READER_PASSWORD, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"password": "wrong-secret"}, SourceRefusedCredentials),
        ({"username": "nobody-such"}, SourceRefusedCredentials),
        ({"dbname": "no-such-db"}, SourceRefusedCredentials),
        ({"port": free_port()}, SourceUnreachable),
        ({"host": "no-such-host.invalid"}, SourceUnreachable),
    ],
)
def test_a_failure_to_connect_names_the_cure_and_no_secret(
    postgres_server: PostgresServer, changes: dict[str, object], kind: type[SourceError]
) -> None:
    login = credential(postgres_server, **changes)
    database = Live(Dialect.POSTGRES, credential=login)
    with pytest.raises(kind) as failed:
        database.rows(judged(database, "SELECT 1"))
    told = repr(failed.value) + repr(login)
    for secret in (login.password, login.username, login.host, str(login.port), login.dbname):
        assert secret is not None
        assert secret not in told.replace("postgres'", "")


def test_a_uri_that_is_none_is_named_without_itself() -> None:
    with pytest.raises(SourceMisconfigured) as failed:
        open_source(source(Dialect.POSTGRES), SourceCredential(uri="postgresql://u:hush@[broken"))
    assert "hush" not in str(failed.value)
    assert "uri" in str(failed.value)


@pytest.mark.parametrize("dialect", [Dialect.SQLITE, Dialect.DUCKDB])
def test_a_missing_file_is_unreachable_and_not_created(tmp_path: Path, dialect: Dialect) -> None:
    database = Live(dialect, tmp_path / "missing.db")
    with pytest.raises(SourceUnreachable):
        database.rows(judged(database, "SELECT 1"))
    assert list(tmp_path.iterdir()) == []
