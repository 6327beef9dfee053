"""Ending MySQL's work: from here, from elsewhere, at the deadline; never more at once than there is room."""

import threading
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from insight_engine.domain.source_errors import (
    QueryCancelled,
    QueryTimedOut,
    SourceBusy,
    SourceError,
)
from support.mariadb import MariadbServer
from support.mysql_shop import ENDLESS, SOURCE, mysql_shop, opened
from support.source_rows import Asking
from support.waiting import eventually


@pytest.fixture(scope="module")
def server() -> Iterator[MariadbServer]:
    with mysql_shop() as server:
        yield server


@pytest.fixture(scope="module")
def shop(server: MariadbServer) -> Asking:
    return Asking(SOURCE, opened(server))


def marks(server: MariadbServer) -> int:
    with server.admin() as admin, admin.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM information_schema.PROCESSLIST WHERE USER = 'reader' AND INFO <> ''"
        )
        row = cursor.fetchone()
    return int(row[0]) if row else 0


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "elsewhere"])
def test_a_cancel_returns_when_the_work_is_gone(shop: Asking, server: MariadbServer, elsewhere: bool) -> None:
    took = []
    for _ in range(5):
        query_id = str(uuid4())
        canceller = opened(server) if elsewhere else shop.source
        with shop.running(ENDLESS, query_id) as raised:
            eventually("it runs", lambda: marks(server) == 1, within_s=10)
            started = time.monotonic()
            assert canceller.cancel(query_id)
            took.append(time.monotonic() - started)
            eventually("it is gone", lambda: marks(server) == 0, within_s=0.2)
        assert [type(error) for error in raised] == [QueryCancelled]
    print(f"cancel, slowest of five: {max(took) * 1000:.0f} ms")
    assert sorted(took)[-2] < 0.3


def test_a_query_may_run_twice_for_a_moment_and_both_are_ended(server: MariadbServer) -> None:
    first, second = (Asking(SOURCE, opened(server)) for _ in range(2))
    with first.running(ENDLESS, "twin") as one, second.running(ENDLESS, "twin") as other:
        eventually("both run", lambda: marks(server) == 2, within_s=10)
        assert opened(server).cancel("twin")
    assert [type(error) for error in (*one, *other)] == [QueryCancelled, QueryCancelled]


def test_the_deadline_holds_also_for_what_answers_when_it_is_ended(
    shop: Asking, server: MariadbServer
) -> None:
    for statement in (ENDLESS, "SELECT sleep(20)", "SELECT benchmark(1000000000, md5(1))"):
        started = time.monotonic()
        with pytest.raises(QueryTimedOut, match=r"0\.4 s"):
            shop.rows(statement, timeout_s=0.4)
        assert time.monotonic() - started < 1.6
    eventually("it is gone", lambda: marks(server) == 0, within_s=1)


def test_leaving_early_ends_the_work(shop: Asking, server: MariadbServer) -> None:
    stream = iter(shop.batches("SELECT seq, repeat('x', 1000) FROM seq_1_to_100000000"))
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    eventually("it is gone", lambda: marks(server) == 0, within_s=2)


def test_a_server_that_hangs_cannot_hold_a_query(shop: Asking, server: MariadbServer) -> None:
    server.freeze()
    try:
        started = time.monotonic()
        with pytest.raises(SourceError):
            shop.rows("SELECT 1", timeout_s=1)
        assert time.monotonic() - started < 9
    finally:
        server.thaw()
    assert shop.value("SELECT 1") == 1


def test_more_queries_than_connections_wait_and_then_say_so(shop: Asking) -> None:
    held = [iter(shop.batches("SELECT seq FROM seq_1_to_1000000")) for _ in range(2)]
    for stream in held:
        next(stream)
    with pytest.raises(SourceBusy, match="max_connections"):
        shop.rows("SELECT 1", timeout_s=0.3)
    waiting: list[tuple[Any, ...]] = []
    thread = threading.Thread(target=lambda: waiting.extend(shop.rows("SELECT 1")))
    thread.start()
    for stream in held:
        stream.close()  # type: ignore[attr-defined]
    thread.join(10)
    assert waiting == [(1,)]
