"""E3 (a million rows of six columns: first page, memory) and E5 (stalls of the API's event loop)."""

import json
import multiprocessing
import socket
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

from dev.bench.client import Client
from dev.bench.figures import Figure, Findings, load, percentile
from dev.bench.service import Peak, Service, make_big_table
from support.campaign_cancel import sleeping

MILLION = 1_000_000
BYTES = 2 * 1024**3
STALL_ROWS = 100_000
PROBES = 4
PROBE_EVERY_S = 0.005


def million_rows(service: Service, _samples: int) -> Findings:
    """E3."""
    found = Findings()
    make_big_table(service)
    (token,) = service.tokens(1)
    client = Client(service.home.api_port, token)
    client.rows("SELECT id FROM big WHERE id = 1")
    grown = {}
    for millions in (1, 5):
        rows = millions * MILLION
        with Peak(service.worker) as worker:
            started = time.perf_counter()
            query, first = _fetched(client, rows)
            if isinstance(query, str):
                found.add(Figure(f"E3 {millions}M x 6 rows", "", f"not measured: {query}", None))
                continue
            done_s = time.perf_counter() - started
        grown[millions] = worker.growth
        what = f"{first:.2f} s from submit; all rows stored after {done_s:.2f} s"
        goal, met = ("≤ 1.0 s", first <= 1) if millions == 1 else ("", None)
        found.add(Figure(f"E3 {millions}M x 6 rows, first page", goal, what, met))
        _streamed(service, client, query["id"], millions, found)
    _memory(grown, found)
    client.close()
    found.raw |= {"worker_growth_mb": grown, "load": load()}
    return found


def _fetched(client: Client, rows: int) -> "tuple[dict[str, Any] | str, float]":
    """The ended query, or why there is none; and the seconds from submitting it to its first page."""
    sql = f"SELECT * FROM big WHERE id <= {rows}"  # noqa: S608 - numbers of ours
    body = {"datasource": "sales", "sql": sql, "wait_s": 0, "row_limit": rows, "byte_limit": BYTES}
    started = time.perf_counter()
    status, text = client.ask("POST", "/api/v1/queries", body | {"timeout_s": 300})
    if status not in {200, 202}:
        return f"status {status}: {text[:200].decode()}", 0.0
    query: dict[str, Any] = json.loads(text)
    page = client.json("GET", f"/api/v1/queries/{query['id']}/results?limit=1000&wait_s=60")
    first_s = time.perf_counter() - started
    if len(page["rows"]) != 1000:  # noqa: PLR2004 - what was asked for
        raise RuntimeError(f"a short page of {len(page['rows'])} rows")
    while query["state"] in {"queued", "running"}:
        time.sleep(0.05)
        query = client.json("GET", f"/api/v1/queries/{query['id']}")
    good = query["state"] == "succeeded" and query["row_count"] == rows
    return (query if good else str(query)), first_s


def _streamed(service: Service, client: Client, query_id: str, millions: int, found: Findings) -> None:
    """Download the whole result as CSV and watch the API's memory."""
    with Peak(service.api) as api:
        started = time.perf_counter()
        answer = client.send("GET", f"/api/v1/queries/{query_id}/results", Accept="text/csv")
        size = lines = 0
        while part := answer.read(1 << 18):
            size += len(part)
            lines += part.count(b"\n")
        took = time.perf_counter() - started
    name, goal = f"E3 {millions}M x 6 rows as CSV, API memory", "≤ +32 MB"
    if answer.status != 200 or lines != millions * MILLION + 1:  # noqa: PLR2004 - and the header
        found.add(Figure(name, goal, f"not measured: status {answer.status}, {lines} lines", None))
        return
    measured = f"+{api.growth:.0f} MB; {size / 1e6:.0f} MB in {took:.1f} s"
    found.add(Figure(name, goal, measured, api.growth <= 32))  # noqa: PLR2004 - the goal


def _memory(grown: "dict[int, float]", found: Findings) -> None:
    if grown:
        words = ", ".join(f"{millions}M rows +{mb:.0f} MB" for millions, mb in grown.items())
        flat = len(grown) > 1 and grown[5] <= max(grown[1], 16) * 1.5
        met = grown[1] <= 128 and flat if len(grown) > 1 else None  # noqa: PLR2004 - the goal
        found.add(Figure("E3 worker memory", "≤ +128 MB, flat from 1M to 5M", words, met))


def stalls(service: Service, _samples: int) -> Findings:
    """E5: how long the API answers nothing while it serves a large fetch and waits for a sleeping query.

    Seen from outside on several connections, so that every API process is asked; the same probe of a process
    that does nothing else tells what the machine itself adds.
    """
    found = Findings()
    (token,) = service.tokens(1)
    parent, child = multiprocessing.Pipe()
    control = multiprocessing.Process(target=_idle_server, args=(child,), daemon=True)
    control.start()
    over = threading.Event()
    times: dict[str, list[float]] = {"API": [], "control": []}
    ports = [("API", service.home.api_port)] * PROBES + [("control", parent.recv())]
    probes = [threading.Thread(target=_probe, args=(port, over, times[name])) for name, port in ports]
    for probe in probes:
        probe.start()
    _busy(service, token)
    over.set()
    for probe in probes:
        probe.join()
    control.terminate()
    words = {n: f"p99 {percentile(t, 99):.0f} ms, most {max(t):.0f} ms" for n, t in times.items()}
    found.add(
        Figure(
            "E5 event-loop stall, 100k-row fetch and a sleeping query",
            "≤ 50 ms",
            f"{words['API']} (n {len(times['API'])})",
            max(times["API"]) <= 50,  # noqa: PLR2004 - the goal
            f"a process that does nothing else: {words['control']}",
        ),
        probe_ms=times,
        load=load(),
    )
    return found


def _busy(service: Service, token: str) -> None:
    """A query that sleeps is waited for while a hundred thousand rows are fetched, in pages and at once."""
    waiting, client = Client(service.home.api_port, token), Client(service.home.api_port, token)
    body = {"datasource": "sales", "sql": sleeping(), "wait_s": 6, "timeout_s": 6}
    sleeper = threading.Thread(target=waiting.ask, args=("POST", "/api/v1/queries", body))
    sleeper.start()
    for number in range(3):
        # Another statement each time, so that none shares the work of the one before.
        which = f"o.id <= 2 AND a.id > -{number}"
        sql = f"SELECT a.id, a.id * 2 AS b, a.id * 3 AS c FROM orders a, orders o WHERE {which}"  # noqa: S608
        query = client.query(sql, row_limit=STALL_ROWS)
        page = client.json("GET", f"/api/v1/queries/{query['id']}/results?limit=10000")
        while page["next_cursor"]:
            path = f"/api/v1/queries/{query['id']}/results?limit=10000&cursor={page['next_cursor']}"
            page = client.json("GET", path)
        client.ask("GET", f"/api/v1/queries/{query['id']}/results", Accept="text/csv")
    sleeper.join()
    waiting.close()
    client.close()


def _probe(port: int, over: threading.Event, times: list[float]) -> None:
    client = Client(port)
    while not over.wait(PROBE_EVERY_S):
        started = time.perf_counter()
        client.ask("GET", "/health/live")
        times.append((time.perf_counter() - started) * 1000)
    client.close()


def _idle_server(told: Connection) -> None:
    """Answers every request alike from one loop, like a server with nothing to do."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        told.send(listener.getsockname()[1])
        connection, _ = listener.accept()
        while connection.recv(65536):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
