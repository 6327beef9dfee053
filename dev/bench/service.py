"""The service under measurement: the real commands with 2 API and 2 worker processes, and its users."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import psutil
import psycopg

from insight_engine.adapters.identity.tokens import JwtTokens, watched_keyset
from insight_engine.domain.sources import Role
from insight_engine.domain.users import User
from support.campaign_faults import NAPS, add_analysts
from support.engine_process import Command, EngineHome
from support.engines import mount_broker, prepare_postgres
from support.servers import PostgresServer, RedisServer

PROCESSES = 2
SETTLE_S = 3.0
_BIG = """
CREATE TABLE big AS SELECT n AS id, n * 7 AS amount, n / 3.0::float8 AS price, md5(n::text) AS code,
    timestamptz '2026-01-01Z' + n * interval '1 s' AS at, n % 2 = 0 AS even
FROM generate_series(1, 5000000) n; GRANT SELECT ON big TO sales_reader; ANALYZE big
"""


@dataclass(frozen=True)
class Service:
    """A running service."""

    home: EngineHome
    postgres: PostgresServer
    redis: RedisServer
    api: Command
    worker: Command

    def source(self) -> "psycopg.Connection[tuple[Any, ...]]":
        """The source that is asked, as its owner."""
        return psycopg.connect(self.postgres.admin_uri("sales"), autocommit=True)

    def tokens(self, count: int) -> list[str]:
        """Tokens of that many analysts: many, so that no limit per user is met."""
        issuer = JwtTokens(watched_keyset(self.home.secrets), "test", 3600)
        with psycopg.connect(self.postgres.admin_uri("insight"), autocommit=True) as store:
            names = add_analysts(store, count)
            rows = store.execute(
                "SELECT id, username, tokens_valid_from FROM insight.users WHERE username = ANY(%s)", (names,)
            ).fetchall()
        users = (
            User(
                id=row[0],
                username=row[1],
                role=Role.ANALYST,
                disabled=False,
                tokens_valid_from=row[2],
                password_hash="",
            )
            for row in rows
        )
        return [issuer.issue(user)[0] for user in users]

    def cpu_s(self) -> dict[str, float]:
        """Processor seconds used so far."""
        return {name: sum(_cpu(p) for p in family(c)) for name, c in self.commands().items()}

    def memory_mb(self) -> dict[str, tuple[float, float]]:
        """(resident, proportional) megabytes; the second counts a page shared by n processes n-th each."""
        found = {}
        for name, command in self.commands().items():
            infos = [process.memory_full_info() for process in family(command)]
            found[name] = (sum(i.rss for i in infos) / 1e6, sum(i.pss for i in infos) / 1e6)
        return found

    def commands(self) -> dict[str, Command]:
        """Its two commands."""
        return {"API": self.api, "worker": self.worker}


def family(command: Command) -> list[psutil.Process]:
    """A command's processes."""
    return [psutil.Process(command.process.pid), *command.children()]


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def running() -> Iterator[Service]:
    """A service from nothing to nothing."""
    with PostgresServer() as postgres, RedisServer() as redis, EngineHome() as home:
        prepare_postgres(home, postgres)
        with psycopg.connect(postgres.admin_uri("sales"), autocommit=True) as admin:
            admin.execute(NAPS.encode())
        mount_broker(home, redis)
        code, log = home.run("migrate")
        if code:
            raise RuntimeError(log)
        api, worker = home.start_api(PROCESSES), home.start_worker(PROCESSES)
        time.sleep(SETTLE_S)
        yield Service(home, postgres, redis, api, worker)


def make_big_table(service: Service) -> None:
    """Five million rows of six columns, for the figures that need them."""
    with service.source() as source:
        source.execute(_BIG.encode())


class Peak:
    """The most resident megabytes that any one process of a command has while it is watched."""

    def __init__(self, command: Command) -> None:
        self._processes = family(command)
        self.before = {p.pid: p.memory_info().rss / 1e6 for p in self._processes}
        self.most = dict(self.before)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            for process in self._processes:
                rss = process.memory_info().rss / 1e6
                self.most[process.pid] = max(self.most[process.pid], rss)

    @property
    def growth(self) -> float:
        """Most that one process grew."""
        return max(self.most[pid] - self.before[pid] for pid in self.before)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
