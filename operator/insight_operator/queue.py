"""The work queue: each key at most once at a time, wishes for the same key merged, failures spaced out.

An urgent key, one that nobody was told anything about yet, goes first and finds room when every place is
taken. After those a key whose work was begun goes before keys never looked at, so that the first of many is
finished long before the last. Nothing here knows what a key means, and nothing imports kopf.
"""

import asyncio
import logging
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

_log = logging.getLogger(__name__)

BACKOFF_FIRST_S = 1.0
BACKOFF_LIMIT_S = 300.0
URGENT_PLACES = 4
"""Work on urgent keys that may go on beyond the limit of concurrency."""


class Verdict(StrEnum):
    """How one piece of work ended."""

    NOTICED = "noticed"
    SETTLED = "settled"
    WAITING = "waiting"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the queue needs to know of a piece of work that ended.

    Attributes:
        verdict: NOTICED puts the key at the end of the line, as if it were new; SETTLED and REFUSED end its
            priority; FAILED spaces out the next attempts.
        again_after_s: when to try again unasked; None waits to be asked. FAILED chooses for itself.
        spaced: whether each further such outcome in a row comes after twice the time, as with FAILED.
    """

    verdict: Verdict
    again_after_s: float | None = None
    spaced: bool = False


class WorkQueue(Generic[K]):
    """Runs `work` for every key that was added.

    Args:
        work: does the work of one key; what it raises counts as FAILED.
        concurrency: how many keys are worked on at once.
        jitter: factor on a back-off, so that many failures do not return together.
        backoff_first_s: wait after a first failure; doubles with each further one up to five minutes.
    """

    def __init__(
        self,
        work: Callable[[K], Awaitable[Outcome]],
        concurrency: int,
        jitter: Callable[[], float] = lambda: random.uniform(0.8, 1.2),
        backoff_first_s: float = BACKOFF_FIRST_S,
    ) -> None:
        self._work = work
        self._concurrency = concurrency
        self._jitter = jitter
        self._backoff_first_s = backoff_first_s
        self._urgent: OrderedDict[K, float] = OrderedDict()
        self._resumed: OrderedDict[K, float] = OrderedDict()
        self._fresh: OrderedDict[K, float] = OrderedDict()
        self._lines = (self._urgent, self._resumed, self._fresh)
        self._begun: set[K] = set()
        self._running: dict[K, asyncio.Task[None]] = {}
        self._dirty: set[K] = set()
        self._later: dict[K, asyncio.TimerHandle] = {}
        self._failures: dict[K, int] = {}
        self._open = False

    @property
    def depth(self) -> int:
        """How many keys wait for their turn."""
        return sum(len(line) for line in self._lines)

    @property
    def age_s(self) -> float:
        """Seconds for which the longest waiting key has waited for its turn."""
        now = asyncio.get_running_loop().time()
        return max((now - since for line in self._lines for since in line.values()), default=0.0)

    def start(self) -> None:
        """Begin to work; what was added before waits until now."""
        self._open = True
        self._pump()

    async def stop(self) -> None:
        """Begin nothing more and cancel what runs; every write is safe to be cut short."""
        self._open = False
        for timer in self._later.values():
            timer.cancel()
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def add(self, key: K, after_s: float = 0.0, *, urgent: bool = False) -> None:
        """Ask for a key's work, now or later; asking twice is asking once, and the sooner one counts."""
        if after_s > 0:
            self._postpone(key, after_s)
            return
        if timer := self._later.pop(key, None):
            timer.cancel()
        if key in self._running:
            self._dirty.add(key)
        elif not any(key in line for line in self._lines):
            line = self._urgent if urgent else self._resumed if key in self._begun else self._fresh
            line[key] = asyncio.get_running_loop().time()
            self._pump()

    def forget(self, key: K) -> None:
        """Drop what is remembered of a key that is gone for good."""
        self._begun.discard(key)
        self._failures.pop(key, None)
        if timer := self._later.pop(key, None):
            timer.cancel()

    def _postpone(self, key: K, after_s: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + after_s
        planned = self._later.get(key)
        waiting = any(key in line for line in self._lines)
        if waiting or (planned is not None and planned.when() <= due):
            return
        if planned is not None:
            planned.cancel()
        self._later[key] = loop.call_at(due, self._due, key)

    def _due(self, key: K) -> None:
        self._later.pop(key, None)
        self.add(key)

    def _pump(self) -> None:
        while self._open and (line := self._next_line()):
            key, _ = line.popitem(last=False)
            self._begun.add(key)
            self._running[key] = asyncio.create_task(self._run(key), name=f"work {key}")

    def _next_line(self) -> OrderedDict[K, float] | None:
        """Return the line whose first key may be worked on now."""
        busy = len(self._running)
        if busy >= self._concurrency:
            return self._urgent if self._urgent and busy < self._concurrency + URGENT_PLACES else None
        return next((line for line in self._lines if line), None)

    async def _run(self, key: K) -> None:
        outcome = Outcome(Verdict.FAILED)
        try:
            outcome = await self._work(key)
        except Exception:  # noqa: BLE001 - one key must not stop the others
            _log.exception("Work of %s raised", key)
        finally:
            self._running.pop(key, None)
            self._finish(key, outcome)

    def _finish(self, key: K, outcome: Outcome) -> None:
        again_after_s = outcome.again_after_s
        if outcome.verdict is Verdict.FAILED or outcome.spaced:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            first_s = again_after_s if outcome.spaced and again_after_s else self._backoff_first_s
            doubled = first_s * 2.0 ** min(failures - 1, 16)
            again_after_s = min(doubled, BACKOFF_LIMIT_S) * self._jitter()
        else:
            self._failures.pop(key, None)
        if outcome.verdict in {Verdict.NOTICED, Verdict.SETTLED, Verdict.REFUSED}:
            self._begun.discard(key)
        if not self._open:
            return
        if key in self._dirty or outcome.verdict is Verdict.NOTICED:
            self._dirty.discard(key)
            self.add(key)
        elif again_after_s is not None:
            self.add(key, again_after_s)
        self._pump()
