"""Ending PostgreSQL's work: from here, from elsewhere, without the worker; never somebody else's."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from insight_engine.adapters.sources import open_source
from insight_engine.adapters.sources.postgres_session import advisory_key
from insight_engine.domain.credentials import SourceCredential
from insight_engine.domain.source_errors import (
    QueryCancelled,
    QueryFailed,
    QueryTimedOut,
    SourceError,
    SourceUnreachable,
)
from insight_engine.domain.sources import DataSource, Dialect, Role
from support.servers import PostgresServer
from support.source_rows import Asking
from support.waiting import eventually

SOURCE = DataSource("shop", Dialect.POSTGRES, ("public",), frozenset(Role))
ENDLESS = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        with psycopg.connect(server.admin_uri(), autocommit=True) as admin:
            admin.execute("CREATE ROLE reader LOGIN PASSWORD 'reader-only'")
        yield server


@pytest.fixture(scope="module")
def login(server: PostgresServer) -> SourceCredential:
    return SourceCredential(uri=f"postgresql://reader:reader-only@127.0.0.1:{server.port}/postgres")


@pytest.fixture
def shop(login: SourceCredential) -> Iterator[Asking]:
    asking = Asking(SOURCE, open_source(SOURCE, login))
    yield asking
    asking.source.close()


@pytest.fixture(scope="module")
def admin(server: PostgresServer) -> Iterator["psycopg.Connection[tuple[int]]"]:
    with psycopg.connect(server.admin_uri(), autocommit=True) as admin:
        yield admin


def backends(admin: "psycopg.Connection[tuple[int]]", query_id: str) -> int:
    sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
    row = admin.execute(sql, (f"insight:{query_id}",)).fetchone()
    return row[0] if row else 0


def logins(admin: "psycopg.Connection[tuple[int]]") -> int:
    admin.execute("SELECT pg_stat_force_next_flush()")
    row = admin.execute("SELECT sessions FROM pg_stat_database WHERE datname = 'postgres'").fetchone()
    return row[0] if row else 0


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "elsewhere"])
def test_a_cancel_returns_when_no_backend_of_that_name_is_left(
    shop: Asking, login: SourceCredential, admin: "psycopg.Connection[tuple[int]]", elsewhere: bool
) -> None:
    took = []
    for _ in range(10):
        query_id = str(uuid4())
        canceller = open_source(SOURCE, login) if elsewhere else shop.source
        with shop.running(ENDLESS, query_id) as raised:
            eventually("it runs", lambda: backends(admin, query_id) == 1, within_s=10)  # noqa: B023 - called at once
            started = time.monotonic()
            assert canceller.cancel(query_id)
            took.append(time.monotonic() - started)
            assert backends(admin, query_id) == 0
        assert [type(error) for error in raised] == [QueryCancelled]
    print(f"cancel, slowest of ten: {max(took) * 1000:.0f} ms")
    assert sorted(took)[-2] < 0.3


def test_a_backend_that_nobody_reads_from_is_ended_too(
    shop: Asking, login: SourceCredential, admin: "psycopg.Connection[tuple[int]]"
) -> None:
    query_id = str(uuid4())
    stream = iter(
        shop.batches("SELECT repeat('x', 1000) FROM generate_series(1, 1000000)", query_id=query_id)
    )
    next(stream)
    assert open_source(SOURCE, login).cancel(query_id)
    assert backends(admin, query_id) == 0
    with pytest.raises(SourceError):
        list(stream)


def test_cancelling_what_does_not_run_is_true_at_once(shop: Asking) -> None:
    assert shop.source.cancel(str(uuid4()))


def test_a_failed_query_costs_no_second_login(shop: Asking, admin: "psycopg.Connection[tuple[int]]") -> None:
    shop.rows("SELECT 1")
    before = logins(admin)
    with pytest.raises(QueryFailed):
        shop.rows("SELECT 1 / 0", query_id="failed-one")
    assert shop.source.cancel("failed-one")
    assert logins(admin) == before


def test_the_deadline_holds_and_the_backend_is_gone(
    shop: Asking, admin: "psycopg.Connection[tuple[int]]"
) -> None:
    started = time.monotonic()
    with pytest.raises(QueryTimedOut, match=r"0\.3 s"):
        shop.rows(ENDLESS, timeout_s=0.3, query_id="late-one")
    assert time.monotonic() - started < 1
    assert backends(admin, "late-one") == 0


def test_the_deadline_holds_when_the_statement_switched_its_own_off(shop: Asking) -> None:
    started = time.monotonic()
    with pytest.raises(QueryTimedOut):
        shop.rows(
            "SELECT set_config('statement_timeout', '0', false), pg_sleep(20)", timeout_s=0.3, query_id="sly"
        )
    assert time.monotonic() - started < 2


def test_a_server_that_hangs_cannot_hold_a_query_beyond_its_deadline(
    shop: Asking, server: PostgresServer
) -> None:
    shop.rows("SELECT 1")
    server.freeze()
    try:
        started = time.monotonic()
        with pytest.raises(SourceError):
            shop.rows("SELECT 1", timeout_s=1)
        assert time.monotonic() - started < 9
    finally:
        server.thaw()
    assert shop.value("SELECT 1") == 1


_KILLED = """
import sys
sys.path.append(sys.argv[1])
from insight_engine.adapters.sources import open_source
from insight_engine.domain.credentials import SourceCredential
from support.source_rows import Asking
from insight_engine.domain.sources import DataSource, Dialect, Role
source = DataSource("shop", Dialect.POSTGRES, ("public",), frozenset(Role))
Asking(source, open_source(source, SourceCredential(uri=sys.stdin.readline().strip()))).rows(
    sys.stdin.readline(), query_id="orphan", timeout_s=60)
"""


def test_the_backend_of_a_killed_worker_ends_by_itself(
    login: SourceCredential, admin: "psycopg.Connection[tuple[int]]"
) -> None:
    command = [sys.executable, "-c", _KILLED, str(Path(__file__).parents[1])]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as worker:
        assert worker.stdin is not None
        worker.stdin.write(f"{login.uri}\n{ENDLESS}\n")
        worker.stdin.flush()
        eventually("it runs", lambda: backends(admin, "orphan") == 1, within_s=15)
        worker.kill()
    eventually("the backend is gone", lambda: backends(admin, "orphan") == 0, within_s=4)


def test_a_cancel_never_hits_the_next_query_of_the_same_connection(
    shop: Asking, admin: "psycopg.Connection[tuple[int]]"
) -> None:
    """Play a canceller elsewhere that has found the backend, and signals only after the query has ended."""
    stream = shop.batches("SELECT pg_backend_pid() FROM generate_series(1, 20000)", query_id="first")
    pid = next(iter(stream)).column(0)[0].as_py()
    after: list[tuple[int, ...]] = []
    with admin.transaction():
        key = advisory_key("insight:first")
        admin.execute("SELECT pg_advisory_xact_lock(%s)", (key,))
        assert backends(admin, "first") == 1
        assert len(list(stream)) >= 1
        second = threading.Thread(
            target=lambda: after.extend(shop.rows("SELECT pg_backend_pid() FROM pg_sleep(0.3)"))
        )
        second.start()
        time.sleep(0.1)  # what is tested is a moment within the second query
        admin.execute("SELECT pg_cancel_backend(%s)", (pid,))
    second.join(10)
    assert after
    assert after[0][0] != pid


def test_closing_ends_what_runs(login: SourceCredential, admin: "psycopg.Connection[tuple[int]]") -> None:
    asking = Asking(SOURCE, open_source(SOURCE, login))
    with asking.running(ENDLESS, "left") as raised:
        eventually("it runs", lambda: backends(admin, "left") == 1, within_s=10)
        asking.source.close()
    assert [type(error) for error in raised] == [QueryCancelled]
    assert backends(admin, "left") == 0


def test_a_server_that_goes_away_is_unreachable_and_comes_back(shop: Asking, server: PostgresServer) -> None:
    assert shop.value("SELECT 1") == 1
    server.stop()
    try:
        with pytest.raises(SourceUnreachable):
            shop.rows("SELECT 1")
    finally:
        server.start()
    assert shop.value("SELECT 1") == 1
