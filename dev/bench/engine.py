"""The engine's figures: E1 (a small query, submit to first page) and E7 (embedded start to first answer).

E1 runs the real service (gunicorn, Celery, PostgreSQL, Redis) and, in the same run, the same statement by a
plain client on a connection of its own, which is what any query service has to beat or justify.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import psycopg

from support.engine_client import EngineClient
from support.engine_process import ADMIN, EngineHome
from support.engines import READER_PASSWORD, mount_broker, prepare_postgres
from support.servers import PostgresServer, RedisServer

WARM_UP = 30
STATEMENT = "SELECT 1 AS one"
STARTS = 5


def percentile(samples: list[float], percent: float) -> float:
    """The value below which `percent` of the samples lie."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def small_query(samples: int) -> Mapping[str, Any]:
    """E1: one client, one small query after another."""
    with PostgresServer() as postgres, RedisServer() as redis, EngineHome() as home:
        prepare_postgres(home, postgres)
        mount_broker(home, redis)
        code, log = home.run("migrate")
        if code:
            raise RuntimeError(log)
        api, worker = home.start_api(processes=2), home.start_worker(concurrency=2)
        client = home.client()
        for _ in range(WARM_UP):
            _ask(client)
        before = {"api": _cpu_s(api.process.pid), "worker": _cpu_s(worker.process.pid)}
        asked = [_timed(lambda: _ask(client)) for _ in range(samples)]
        after = {"api": _cpu_s(api.process.pid), "worker": _cpu_s(worker.process.pid)}
        uri = f"postgresql://sales_reader:{READER_PASSWORD}@127.0.0.1:{postgres.port}/sales"
        plain = [_timed(lambda: _plain(uri)) for _ in range(samples)]
        client.close()
    cpu = {name: (after[name] - before[name]) / samples * 1000 for name in before}
    _print("E1", asked, "goal p50 <= 15, p95 <= 30")
    _print("  plain client, own connection", plain, f"ratio {_ratio(asked, plain):.1f}")
    print(f"  CPU per query: API {cpu['api']:.1f} ms, worker {cpu['worker']:.1f} ms; load {_load()}")
    return {"asked_ms": asked, "plain_ms": plain, "cpu_ms": cpu, "load": _load()}


def _ask(client: EngineClient) -> None:
    query = client.submit("sales", STATEMENT).json()
    if client.page(query["id"])["rows"] != [[1]]:
        raise RuntimeError(f"wrong rows for {query}")


def _plain(uri: str) -> None:
    with psycopg.connect(uri) as connection:
        connection.execute(STATEMENT).fetchall()


def embedded_start(_samples: int) -> Mapping[str, Any]:
    """E7: from starting the process to the first answer, on a new data folder and on one that exists."""
    first: list[float] = []
    again: list[float] = []
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory(prefix="insight-bench-") as data, EngineHome() as home:
            password = None
            for times in (first, again):
                took, password = _start(home, Path(data), password)
                times.append(took)
    _print("E7", first, "goal <= 3000; new data folder")
    _print("  existing data folder", again, f"load {_load()}")
    return {"new_ms": first, "existing_ms": again, "load": _load()}


def _start(home: EngineHome, data: Path, password: str | None) -> tuple[float, str]:
    started = time.perf_counter()
    command = home.start("serve", "--embedded", "--data", str(data), "--port", str(home.api_port))
    home.wait_for(f"{home.url}/health/live", command, every_s=0.02)
    known = password or command.log.split("with the password ")[1].split()[0]
    client = EngineClient(home.url, ADMIN, known)
    if client.rows("sample", STATEMENT) != [[1]]:
        raise RuntimeError(command.log)
    took = (time.perf_counter() - started) * 1000
    client.close()
    command.terminate()
    return took, known


def _timed(call: Callable[[], None]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def _cpu_s(pid: int) -> float:
    parent = psutil.Process(pid)
    times = [process.cpu_times() for process in (parent, *parent.children(recursive=True))]
    return sum(time.user + time.system for time in times)


def _load() -> str:
    return f"{psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} cores"


def _ratio(one: list[float], other: list[float]) -> float:
    return statistics.median(one) / statistics.median(other)


def _print(name: str, samples: list[float], remark: str) -> None:
    p50, p95 = percentile(samples, 50), percentile(samples, 95)
    print(f"{name}: p50 {p50:.1f} ms, p95 {p95:.1f} ms, n {len(samples)} ({remark})")


BENCHMARKS: Mapping[str, Callable[[int], Mapping[str, Any]]] = {"E1": small_query, "E7": embedded_start}
