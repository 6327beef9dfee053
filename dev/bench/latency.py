"""E1 (one client, one small query after another), E2 (eight clients at once) and E6 (memory when idle).

Beside them, in the same run, the same statement by a plain client on a connection of its own: what any query
service has to justify.
"""

import threading
import time
from itertools import cycle

import psycopg

from dev.bench import peers, superset
from dev.bench.client import Client
from dev.bench.figures import Figure, Findings, load, percentile, ratio, spread, timed_ms
from dev.bench.service import Service
from support.engines import READER_PASSWORD

WARM_UP = 60
STATEMENT = "SELECT 1 AS one"
CLIENTS = 8
USERS = 64
IDLE_MB = 500


def small_query(service: Service, samples: int) -> Findings:
    """E1."""
    found = Findings()
    clients = [Client(service.home.api_port, token) for token in service.tokens(16)]
    turns = cycle(clients)
    for _ in range(WARM_UP):
        next(turns).rows(STATEMENT)
    before = service.cpu_s()
    asked = [timed_ms(lambda: _ask(next(turns))) for _ in range(samples)]
    cpu = {name: (after - before[name]) / samples * 1000 for name, after in service.cpu_s().items()}
    uri = f"postgresql://sales_reader:{READER_PASSWORD}@127.0.0.1:{service.postgres.port}/sales"
    plain = [timed_ms(lambda: _plain(uri)) for _ in range(samples)]
    for client in clients:
        client.close()
    other = peers.datasette(samples)
    beside = f"{other.words}; plain client, own connection: {spread(plain)}"
    met = percentile(asked, 50) <= 15 and percentile(asked, 95) <= 30  # noqa: PLR2004 - the goal
    found.add(
        Figure("E1 small query, 1 client", "p50 ≤ 15 ms, p95 ≤ 30 ms", spread(asked), met, beside),
        asked_ms=asked,
        plain_ms=plain,
        datasette_ms=other.samples,
        cpu_ms=cpu,
        load=load(),
    )
    print(
        f"  CPU per query: API {cpu['API']:.1f} ms, worker {cpu['worker']:.1f} ms; "
        f"{ratio(asked, plain):.1f} times the plain client; {load()}"
    )
    return found


def _ask(client: Client) -> None:
    if client.rows(STATEMENT) != [[1]]:
        raise RuntimeError("wrong rows")


def _plain(uri: str) -> None:
    with psycopg.connect(uri) as connection:
        connection.execute(STATEMENT).fetchall()


def throughput(service: Service, samples: int) -> Findings:
    """E2: each query another statement, so that none shares another's work; then each is accounted for."""
    found = Findings()
    per_client = samples * 4 // CLIENTS
    tokens = service.tokens(USERS)
    crowds = [[Client(service.home.api_port, token) for token in tokens[n::CLIENTS]] for n in range(CLIENTS)]
    for crowd in crowds:
        _work(crowd, range(16), [], [])
    before, started = service.cpu_s(), time.perf_counter()
    times: list[float] = []
    wrong: list[int] = []
    threads = [
        threading.Thread(
            target=_work, args=(crowd, range((n + 1) * 10**6, (n + 1) * 10**6 + per_client), times, wrong)
        )
        for n, crowd in enumerate(crowds)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = per_client * CLIENTS / (time.perf_counter() - started)
    cpu = {n: (after - before[n]) / len(times) * 1000 for n, after in service.cpu_s().items()}
    stored, distinct = _stored(service)
    expected = per_client * CLIENTS
    whole = not wrong and len(times) == stored == distinct == expected
    peer = superset.beside(service, samples)
    found.add(
        Figure(
            "E2 8 clients, by queue and worker",
            "≥ 120 q/s, none lost or doubled",
            f"{rate:.0f} q/s, {spread(times)}; {expected - stored} lost, {stored - distinct} doubled,"
            f" {len(wrong)} wrong",
            rate >= 120 and whole,  # noqa: PLR2004 - the goal
            peer.words,
        ),
        rate=rate,
        times_ms=times,
        cpu_ms=cpu,
        peer=peer.samples,
        load=load(),
    )
    print(f"  CPU per query: API {cpu['API']:.1f} ms, worker {cpu['worker']:.1f} ms; {load()}")
    return found


def _work(crowd: list[Client], numbers: range, times: list[float], wrong: list[int]) -> None:
    for number, client in zip(numbers, cycle(crowd), strict=False):
        started = time.perf_counter()
        if client.rows(f"SELECT {number} AS n") != [[number]]:
            wrong.append(number)
        times.append((time.perf_counter() - started) * 1000)


def _stored(service: Service) -> tuple[int, int]:
    with psycopg.connect(service.postgres.admin_uri("insight")) as store:
        row = store.execute(
            "SELECT count(*), count(DISTINCT sql) FROM insight.queries"
            " WHERE sql ~ '^SELECT [1-9]0[0-9]{5} AS n$' AND state = 'succeeded' AND attempt = 1"
        ).fetchone()
    return (0, 0) if row is None else (int(row[0]), int(row[1]))


def idle_memory(service: Service, _samples: int) -> Findings:
    """E6."""
    found = Findings()
    memory = service.memory_mb()
    rss, pss = (sum(values[n] for values in memory.values()) for n in (0, 1))
    parts = ", ".join(f"{name} {values[1]:.0f}" for name, values in memory.items())
    measured = f"{pss:.0f} MB ({parts}); {rss:.0f} MB when shared pages are counted once per process"
    found.add(
        Figure("E6 idle, 2 API + 2 worker processes", f"≤ {IDLE_MB} MB", measured, pss <= IDLE_MB),
        memory_mb=memory,
    )
    return found
