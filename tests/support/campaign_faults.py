"""What strikes during a campaign, and the stage it strikes: one engine with two workers and its servers."""

import random
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, Final, Self

import psutil
import psycopg
import redis

from insight_engine.adapters.queue.broker import celery_app
from insight_engine.adapters.queue.message import QUEUE, TASK
from insight_engine.services.running import LEASE_S
from insight_engine.settings import Settings
from support import campaign_ledger
from support.engine_process import Command, EngineHome
from support.engines import READER_PASSWORD, mount_broker, prepare_postgres
from support.servers import PostgresServer, RedisServer, free_port

CONCURRENCY: Final = 2
OUTAGE_S: Final = 1.0
START_S: Final = 120.0
THAW_AFTER_S: Final = LEASE_S + 4
NAPS = "".join(
    f"CREATE VIEW {name} AS SELECT 0 AS n FROM pg_sleep({s}); GRANT SELECT ON {name} TO sales_reader;"
    for name, s in (("nap", 0.4), ("long_nap", 1.5), ("sleep", 30))
)
"""What takes time and no processor: functions that sleep are refused, views of the DBA's are not."""


def add_analysts(store: "psycopg.Connection[Any]", count: int) -> list[str]:
    """Add that many analysts, who have the admin's password; their names."""
    names = [f"client-{token_hex(6)}" for _ in range(count)]
    store.execute(
        "INSERT INTO insight.users (id, username, password_hash, role, tokens_valid_from, created_at)"
        " SELECT gen_random_uuid(), name, password_hash, 'analyst', tokens_valid_from, created_at"
        " FROM insight.users, unnest(%s::text[]) name WHERE username = 'admin'",
        (names,),
    )
    return names


class Stage:
    """An engine, and a source on a server of its own, so that only the engine's database is struck."""

    def __init__(self, workers: int = 2) -> None:
        self._stack = ExitStack()
        self.store_server = self._stack.enter_context(PostgresServer())
        self.source_server = self._stack.enter_context(PostgresServer())
        self.redis_server = self._stack.enter_context(RedisServer())
        self.home = self._stack.enter_context(EngineHome())
        self._mount()
        code, log = self.home.run("migrate")
        if code:
            raise AssertionError(log)
        with self.store() as store:
            campaign_ledger.install(store)
        self._ports: dict[Command, int] = {}
        self.api = self.home.start_api(processes=2)
        self.workers = [self.start_worker() for _ in range(workers)]
        self.kills: list[tuple[float, int]] = []
        """(time, pid) of every worker process killed."""
        self.crashes: list[float] = []
        """When the store's server was killed: its UNLOGGED tables are empty since."""
        self.without_redis: list[tuple[float, float]] = []
        """(from, to) of the times without Redis."""

    def _mount(self) -> None:
        prepare_postgres(self.home, self.source_server)
        with psycopg.connect(self.source_server.admin_uri("sales"), autocommit=True) as admin:
            admin.execute(NAPS.encode())
        store = {"host": "127.0.0.1", "port": str(self.store_server.port)}
        admin_login = {"username": "postgres", "password": self.store_server.password}
        self.home.put("database-admin", **store, dbname="postgres", **admin_login)
        self.home.put("database", **store)
        self.home.put(
            "source-sales",
            host="127.0.0.1",
            port=str(self.source_server.port),
            dbname="sales",
            username="sales_reader",
            password=READER_PASSWORD,
        )
        mount_broker(self.home, self.redis_server)

    def start_worker(self) -> Command:
        """One more worker; it is not waited for."""
        port = free_port()
        worker = self.home.start("worker", internal_port=port, INSIGHT_WORKER_CONCURRENCY=str(CONCURRENCY))
        self._ports[worker] = port
        return worker

    def until_whole(self) -> None:
        """Wait until every process that was started anew serves: its start is not what is timed."""
        self.home.wait_for(f"{self.home.url}/health/ready", self.api, within_s=START_S)
        for index, worker in enumerate(self.workers):
            # A pool whose processes are killed while they start gives up; a pod is then started again.
            if worker.process.poll() is not None:
                self.workers[index] = self.start_worker()
        for worker in self.workers:
            url = f"http://127.0.0.1:{self._ports[worker]}/health/ready"
            self.home.wait_for(url, worker, within_s=START_S)

    def store(self) -> "psycopg.Connection[tuple[Any, ...]]":
        """The engine's database, as its owner."""
        return psycopg.connect(self.store_server.admin_uri("insight"), autocommit=True)

    def tokens(self, count: int) -> list[str]:
        """Log in that many new analysts."""
        with self.store() as store:
            names = add_analysts(store, count)
        return [self.home.login(name) for name in names]

    def worker_children(self) -> list[psutil.Process]:
        """The pool children of every worker that lives."""
        found = []
        for worker in self.workers:
            with suppress(psutil.Error):
                found += worker.children()
        return found

    def busy_children(self) -> list[psutil.Process]:
        """Those that run a query just now; all of them when none does."""
        with self.store() as store:
            rows = store.execute("SELECT worker FROM insight.queries WHERE state = 'running'").fetchall()
        named = " ".join(str(worker) for (worker,) in rows).replace(":", " ").split()
        children = self.worker_children()
        return [child for child in children if str(child.pid) in named] or children

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


@dataclass
class Faults:
    """Strikes, each by its name in `KINDS`; all of them leave a stage that can heal by itself."""

    stage: Stage
    random: random.Random
    told: Callable[[], list[str]]
    """Ids of accepted queries."""
    redis_gone_s: float = 15.0
    done: dict[str, int] = field(default_factory=dict)
    _timers: list[threading.Timer] = field(default_factory=list)

    def strike(self, kind: str) -> None:
        """Strike once."""
        KINDS[kind](self)
        self.done[kind] = self.done.get(kind, 0) + 1

    def finish(self) -> None:
        """Wait until everything frozen is thawed."""
        for timer in self._timers:
            timer.join()

    def kill_child(self) -> None:
        """SIGKILL one worker child, a busy one when there is one."""
        children = self.stage.busy_children()
        if children:
            child = self.random.choice(children)
            with suppress(psutil.Error):
                child.kill()
                self.stage.kills.append((time.time(), child.pid))

    def kill_worker(self) -> None:
        """SIGKILL a whole worker, parent first, as a lost node would, and start another in its place."""
        place = self.random.randrange(len(self.stage.workers))
        worker = self.stage.workers[place]
        pids = [worker.process.pid, *(child.pid for child in worker.children())]
        worker.kill_all()
        self.stage.kills += [(time.time(), pid) for pid in pids]
        self.stage.workers[place] = self.stage.start_worker()

    def freeze_child(self) -> None:
        """SIGSTOP a worker child until well past its lease: its late result must change nothing."""
        children = self.stage.busy_children()
        if not children:
            return
        child = self.random.choice(children)
        child.send_signal(signal.SIGSTOP)

        def thaw() -> None:
            with suppress(psutil.Error):
                child.send_signal(signal.SIGCONT)

        timer = threading.Timer(THAW_AFTER_S, thaw)
        self._timers.append(timer)
        timer.start()

    def kill_api(self) -> None:
        """SIGKILL one API process; gunicorn makes another."""
        children = self.stage.api.children()
        if children:
            self.random.choice(children).kill()

    def kill_whole_api(self) -> None:
        """SIGKILL the API, parent and all, and start another in its place."""
        self.stage.api.kill_all()
        self.stage.api = self.stage.home.start(
            "serve", internal_port=self.stage.home.api_internal, INSIGHT_API_PROCESSES="2"
        )

    def kill_redis(self) -> None:
        """Kill Redis; it comes back empty."""
        self._without_redis(OUTAGE_S)

    def lose_redis(self) -> None:
        """Kill Redis and leave it dead for `redis_gone_s`."""
        self._without_redis(self.redis_gone_s)

    def _without_redis(self, seconds: float) -> None:
        self.stage.redis_server.stop()
        since = time.time()
        time.sleep(seconds)
        self.stage.without_redis.append((since, time.time()))
        self.stage.redis_server.start()

    def flush_redis(self) -> None:
        """FLUSHALL."""
        with suppress(redis.RedisError):
            self.stage.redis_server.owner().flushall()

    def restart_postgres(self) -> None:
        """Restart the store's PostgreSQL, every connection broken."""
        self.stage.store_server.stop()
        self.stage.store_server.start()

    def crash_postgres(self) -> None:
        """SIGKILL every process of the store's PostgreSQL: UNLOGGED tables are emptied by the recovery."""
        self.stage.crashes.append(time.time())
        self.stage.store_server.crash()
        time.sleep(OUTAGE_S)
        self.stage.store_server.start()
        self.stage.crashes.append(time.time())

    def drop_messages(self) -> None:
        """Take messages off the queue before any worker does."""
        broker = self.stage.redis_server.client()
        with suppress(redis.RedisError):
            for _ in range(3):
                broker.brpop([self._queue()], timeout=1)

    def double_messages(self) -> None:
        """Publish again what was published: queries that wait, run and have ended."""
        app = self._celery()
        with suppress(Exception):  # a broker that is away: there is nothing to double then
            for query_id in self.random.sample(ids := self.told()[-20:], min(10, len(ids))):
                app.send_task(TASK, args=[query_id])
        app.close()

    def _celery(self) -> Any:
        return celery_app(Settings(instance="test", secrets_dir=self.stage.home.secrets))

    def _queue(self) -> str:
        return f"insight:test:{QUEUE}"


KINDS: Final[Mapping[str, Callable[[Faults], None]]] = {
    "worker child SIGKILL": Faults.kill_child,
    "worker SIGKILL": Faults.kill_worker,
    "worker child SIGSTOP": Faults.freeze_child,
    "API process SIGKILL": Faults.kill_api,
    "API SIGKILL": Faults.kill_whole_api,
    "Redis SIGKILL": Faults.kill_redis,
    "Redis gone": Faults.lose_redis,
    "Redis FLUSHALL": Faults.flush_redis,
    "PostgreSQL restart": Faults.restart_postgres,
    "PostgreSQL SIGKILL": Faults.crash_postgres,
    "messages dropped": Faults.drop_messages,
    "messages doubled": Faults.double_messages,
}
