"""Clients of a fault campaign: they ask, ask again when an answer is lost, and note what they were told.

Every request carries an idempotency key, so asking again is always right; every result is read and compared.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

SLACK_S = 10.0
"""Seconds that any request may take beyond what it asked to wait: longer counts as hanging."""
GIVE_UP_S = 90.0
PENDING = 6
"""Queries that one client leaves running before it looks after them."""


@dataclass(frozen=True)
class Ask:
    """One query to ask.

    Attributes:
        expected: its rows; a number stands for 1 to that number.
        impatient: the client hangs up before the first answer and asks again.
        cancel: it is cancelled once accepted.
    """

    number: int
    kind: str
    sql: str
    expected: int | list[list[Any]]
    wait_s: float
    impatient: bool = False
    cancel: bool = False

    def matches(self, rows: list[list[Any]]) -> bool:
        """Whether these are exactly its rows."""
        if isinstance(self.expected, int):
            return rows == [[n] for n in range(1, self.expected + 1)]
        return rows == self.expected


def asks(random_: random.Random) -> Iterator[Ask]:
    """A mixture without end: quick, many rows, long, heavy, shared and cancelled queries."""
    number = 0
    while True:
        number += 1
        kind = random_.choices(
            ("quick", "rows", "nap", "heavy", "shared", "cancelled"), (70, 12, 8, 3, 4, 3)
        )[0]
        wait_s = random_.choice((0.0, 0.3, 5.0, 5.0))
        impatient = random_.random() < 0.05
        sql, expected = _statement(kind, number, random_)
        yield Ask(number, kind, sql, expected, wait_s, impatient, kind == "cancelled")


def _statement(kind: str, number: int, random_: random.Random) -> tuple[str, int | list[list[Any]]]:
    if kind == "rows":
        rows = random_.choice((100, 3_000, 20_000))
        return f"SELECT id FROM orders WHERE id <= {rows} ORDER BY id", rows
    if kind in {"nap", "cancelled"}:
        return f"SELECT n + {number} AS n FROM {random_.choice(('nap', 'long_nap'))}", [[number]]
    if kind == "heavy":
        heavy = "SELECT count(*) AS c FROM orders a, orders b WHERE a.id <= 150 AND a.id + b.id = 7"
        return f"{heavy} AND a.id <> -{number}", [[6]]
    if kind == "shared":
        return "SELECT n + 7 AS n FROM nap", [[7]]
    return f"SELECT {number} AS n", [[number]]


@dataclass
class Answered:
    """What the clients were told about one ask."""

    ask: Ask
    key: str
    ids: set[str] = field(default_factory=set)
    accepted_at: float = 0.0
    state: str | None = None
    rows: str = "unread"
    """exact, wrong, lost (410) or unread."""
    read_at: float = 0.0


class Load:
    """Several clients at work until told to stop or nothing is left to ask."""

    def __init__(self, url: str, tokens: list[str], source: Iterator[Ask], count: int | None) -> None:
        self._url, self._source, self._left = url, source, count
        self._lock = threading.Lock()
        self.stopping = threading.Event()
        self.answers: list[Answered] = []
        self.violations: list[str] = []
        self.slowest_s = 0.0
        self.refused = 0
        """Answers that said 503 or a broken connection: each was asked again."""
        self._threads = [
            threading.Thread(target=self._guarded, args=(token, n), name=f"client-{n}", daemon=True)
            for n, token in enumerate(tokens)
        ]

    def start(self) -> None:
        """Start asking."""
        for thread in self._threads:
            thread.start()

    @property
    def accepted(self) -> int:
        """Queries accepted so far."""
        return sum(1 for answered in self.answers if answered.ids)

    @property
    def alive(self) -> bool:
        """Whether any client is still at work."""
        return any(thread.is_alive() for thread in self._threads)

    def stop(self, within_s: float) -> bool:
        """Ask nothing new and wait until every client knows the end of what it asked; False when not."""
        self.stopping.set()
        deadline = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not self.alive

    def _next(self) -> Ask | None:
        with self._lock:
            if self.stopping.is_set() or self._left == 0:
                return None
            if self._left is not None:
                self._left -= 1
            return next(self._source)

    def _guarded(self, token: str, number: int) -> None:
        try:
            with httpx.Client(base_url=self._url, headers={"Authorization": f"Bearer {token}"}) as http:
                _Client(self, http, number).work(self._next)
        except Exception as error:  # noqa: BLE001 - a client that dies silently would count as content
            self.violation(f"client {number} failed: {error!r}")

    def violation(self, text: str) -> None:
        """Write down what must not be."""
        with self._lock:
            self.violations.append(text)


class _Client:
    """One user's script."""

    def __init__(self, load: Load, http: httpx.Client, number: int) -> None:
        self._load, self._http, self._number = load, http, number
        self._pending: list[Answered] = []

    def work(self, following: Callable[[], Ask | None]) -> None:
        """Ask, and look after what was asked."""
        while (ask := following()) is not None:
            answered = Answered(ask, f"campaign-{ask.number}")
            self._load.answers.append(answered)
            self._submit(answered)
            self._look_after(1 if len(self._pending) < PENDING else None)
        while self._pending:
            self._look_after(None)

    def _submit(self, answered: Answered) -> None:
        ask = answered.ask
        body = {"datasource": "sales", "sql": ask.sql, "wait_s": ask.wait_s, "timeout_s": 60}
        if ask.impatient:
            self._hang_up(body, answered.key)
        given_up = time.monotonic() + GIVE_UP_S
        while time.monotonic() < given_up:
            response = self._request("POST", "/api/v1/queries", answered.key, ask.wait_s, json=body)
            if response is None:
                continue
            if response.status_code not in {200, 202}:
                self._load.violation(f"submit {answered.key}: {response.status_code} {response.text[:200]}")
                return
            self._accepted(answered, response.json())
            return
        self._load.violation(f"submit {answered.key}: no answer for {GIVE_UP_S:g} s")

    def _hang_up(self, body: dict[str, Any], key: str) -> None:
        try:
            self._http.post("/api/v1/queries", json=body, headers={"Idempotency-Key": key}, timeout=0.01)
        except httpx.TransportError:
            return

    def _accepted(self, answered: Answered, query: dict[str, Any]) -> None:
        answered.accepted_at = answered.accepted_at or time.time()
        answered.ids.add(query["id"])
        if answered.ask.cancel:
            self._request("POST", f"/api/v1/queries/{query['id']}/cancel", None, SLACK_S)
        self._pending.append(answered)
        if query["state"] not in {"queued", "running"}:
            self._ended(answered, query["state"])

    def _look_after(self, at_most: int | None) -> None:
        for answered in self._pending[:at_most]:
            query_id = next(iter(answered.ids))
            response = self._request("GET", f"/api/v1/queries/{query_id}", None, 0)
            if response is None:
                continue
            if response.status_code != 200:
                self._load.violation(f"get {query_id}: {response.status_code} {response.text[:200]}")
                self._pending.remove(answered)
            elif (state := response.json()["state"]) not in {"queued", "running"}:
                self._ended(answered, state)
        if at_most is None and self._pending:
            time.sleep(0.05)

    def _ended(self, answered: Answered, state: str) -> None:
        answered.state = state
        if answered in self._pending:
            self._pending.remove(answered)
        if state in {"succeeded", "expired"}:
            self._read(answered, next(iter(answered.ids)))

    def _read(self, answered: Answered, query_id: str) -> None:
        rows: list[list[Any]] = []
        cursor: str | None = None
        given_up = time.monotonic() + GIVE_UP_S
        while time.monotonic() < given_up:
            params: dict[str, Any] = {"limit": 10_000} | ({"cursor": cursor} if cursor else {})
            response = self._request("GET", f"/api/v1/queries/{query_id}/results", None, 0, params=params)
            if response is None:
                continue
            answered.read_at = time.time()
            if response.status_code != 200:
                answered.rows = "lost" if response.status_code == 410 else f"status {response.status_code}"
                return
            page = response.json()
            rows += page["rows"]
            cursor = page["next_cursor"]
            if cursor is None:
                answered.rows = "exact" if answered.ask.matches(rows) else f"wrong: {str(rows)[:100]}"
                return

    def _request(
        self, method: str, path: str, key: str | None, wait_s: float, **options: Any
    ) -> httpx.Response | None:
        """One request; None when it is to be made again."""
        headers = {} if key is None else {"Idempotency-Key": key}
        started = time.monotonic()
        try:
            response = self._http.request(
                method, path, headers=headers, timeout=wait_s + 2 * SLACK_S, **options
            )
        except httpx.TransportError:
            response = None
        took = time.monotonic() - started - wait_s
        self._load.slowest_s = max(self._load.slowest_s, took)
        if took > SLACK_S:
            self._load.violation(f"{method} {path} took {took:.1f} s more than it asked for")
        if response is not None and response.status_code not in {429, 502, 503}:
            return response
        self._load.refused += 1
        if response is not None and "retry-after" not in response.headers:
            self._load.violation(f"{method} {path}: {response.status_code} without Retry-After")
        time.sleep(0.2)
        return None
