"""The work queue keeps its promises under a real event loop, with waits of milliseconds."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from insight_operator.queue import URGENT_PLACES, Outcome, Verdict, WorkQueue

SETTLED = Outcome(Verdict.SETTLED)
WAITING = Outcome(Verdict.WAITING)
FAILED = Outcome(Verdict.FAILED)
Work = Callable[[str], Awaitable[Outcome]]


class Bench:
    """A queue whose work is scripted: outcomes by key in order, then SETTLED; a gate holds work back."""

    def __init__(self, concurrency: int = 1, work: Work | None = None) -> None:
        self.done: list[str] = []
        self.script: dict[str, list[Outcome]] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.progress = asyncio.Event()
        self.running = 0
        self.most = 0
        self.queue: WorkQueue[str] = WorkQueue(
            work or self._work, concurrency, jitter=lambda: 1.0, backoff_first_s=0.02
        )

    async def _work(self, key: str) -> Outcome:
        self.running += 1
        self.most = max(self.most, self.running)
        await self.gate.wait()
        await asyncio.sleep(0)
        self.running -= 1
        self.done.append(key)
        self.progress.set()
        outcomes = self.script.get(key)
        return outcomes.pop(0) if outcomes else SETTLED

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.done) < count:
                self.progress.clear()
                await self.progress.wait()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.queue.stop()


async def test_wishes_for_a_waiting_key_are_merged(bench: Bench) -> None:
    for _ in range(5):
        bench.queue.add("a")
    bench.queue.start()
    await bench.until(1)
    assert bench.done == ["a"]
    assert bench.queue.depth == 0


async def test_a_wish_during_the_work_makes_exactly_one_more_pass(bench: Bench) -> None:
    bench.gate.clear()
    bench.queue.start()
    bench.queue.add("a")
    await asyncio.sleep(0)
    bench.queue.add("a")
    bench.queue.add("a")
    bench.gate.set()
    await bench.until(2)
    await asyncio.sleep(0.03)
    assert bench.done == ["a", "a"]


async def test_one_key_is_never_worked_on_twice_at_once() -> None:
    bench = Bench(concurrency=8)
    bench.gate.clear()
    bench.queue.start()
    bench.queue.add("a")
    await asyncio.sleep(0)
    bench.queue.add("a")
    await asyncio.sleep(0.01)
    assert bench.most == 1
    bench.gate.set()
    await bench.until(2)
    assert bench.most == 1
    await bench.queue.stop()


async def test_concurrency_is_limited() -> None:
    bench = Bench(concurrency=3)
    bench.gate.clear()
    for key in "abcdef":
        bench.queue.add(key)
    bench.queue.start()
    await asyncio.sleep(0.01)
    assert bench.most == 3
    assert bench.queue.depth == 3
    bench.gate.set()
    await bench.until(6)
    await bench.queue.stop()


async def test_a_begun_key_goes_before_keys_never_looked_at(bench: Bench) -> None:
    bench.script["a"] = [WAITING]
    bench.gate.clear()
    for key in "abc":
        bench.queue.add(key)
    bench.queue.start()
    await asyncio.sleep(0)
    bench.queue.add("a")
    bench.gate.set()
    await bench.until(4)
    assert bench.done == ["a", "a", "b", "c"]


async def test_a_settled_key_has_no_priority(bench: Bench) -> None:
    bench.queue.start()
    bench.queue.add("a")
    await bench.until(1)
    bench.gate.clear()
    for key in "bca":
        bench.queue.add(key)
    bench.gate.set()
    await bench.until(4)
    assert bench.done == ["a", "b", "c", "a"]


async def test_an_urgent_key_goes_before_all_others(bench: Bench) -> None:
    bench.script["a"] = [WAITING]
    bench.gate.clear()
    for key in "abc":
        bench.queue.add(key)
    bench.queue.start()
    await asyncio.sleep(0)
    bench.queue.add("a")
    bench.queue.add("new", urgent=True)
    bench.gate.set()
    await bench.until(5)
    assert bench.done[:2] in (["a", "new"], ["new", "a"])
    assert bench.done[2:] == ["a", "b", "c"]


async def test_an_urgent_key_does_not_wait_for_a_place(bench: Bench) -> None:
    bench.gate.clear()
    bench.queue.add("a")
    bench.queue.start()
    await asyncio.sleep(0)
    for number in range(URGENT_PLACES + 1):
        bench.queue.add(f"new-{number}", urgent=True)
    await asyncio.sleep(0.01)
    assert bench.running == 1 + URGENT_PLACES
    assert bench.queue.depth == 1


async def test_a_key_that_was_only_noticed_goes_to_the_end_of_the_line(bench: Bench) -> None:
    bench.script["new"] = [Outcome(Verdict.NOTICED)]
    bench.queue.add("a")
    bench.queue.add("new", urgent=True)
    bench.queue.add("b")
    bench.queue.start()
    await bench.until(4)
    assert bench.done == ["new", "a", "b", "new"]


async def test_failures_are_spaced_out_and_double(bench: Bench) -> None:
    loop = asyncio.get_running_loop()
    bench.script["a"] = [FAILED, FAILED]
    bench.queue.start()
    started = loop.time()
    bench.queue.add("a")
    await bench.until(3)
    assert loop.time() - started >= 0.02 + 0.04


async def test_success_resets_the_back_off(bench: Bench) -> None:
    loop = asyncio.get_running_loop()
    bench.script["a"] = [FAILED, FAILED, FAILED, SETTLED, FAILED]
    bench.queue.start()
    bench.queue.add("a")
    await bench.until(4)
    started = loop.time()
    bench.queue.add("a")
    await bench.until(6)
    assert loop.time() - started < 0.08


async def test_an_event_does_not_wait_for_the_back_off(bench: Bench) -> None:
    bench.script["a"] = [Outcome(Verdict.REFUSED, 600)]
    bench.queue.start()
    bench.queue.add("a")
    await bench.until(1)
    bench.queue.add("a")
    await bench.until(2)
    assert bench.done == ["a", "a"]


async def test_a_sooner_wish_replaces_a_later_one(bench: Bench) -> None:
    bench.queue.start()
    bench.queue.add("a", after_s=600)
    bench.queue.add("a", after_s=0.01)
    await bench.until(1)


async def test_work_that_raises_is_tried_again() -> None:
    tries: list[str] = []
    again = asyncio.Event()

    async def work(key: str) -> Outcome:
        tries.append(key)
        if len(tries) == 1:
            raise RuntimeError("a defect")
        again.set()
        return SETTLED

    bench = Bench(work=work)
    bench.queue.start()
    bench.queue.add("a")
    await asyncio.wait_for(again.wait(), 5)
    await bench.queue.stop()


async def test_stop_cancels_what_runs_and_starts_nothing(bench: Bench) -> None:
    bench.gate.clear()
    bench.queue.start()
    bench.queue.add("a")
    bench.queue.add("b")
    await asyncio.sleep(0)
    await asyncio.wait_for(bench.queue.stop(), 1)
    bench.gate.set()
    await asyncio.sleep(0.01)
    assert bench.done == []


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (FAILED, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]),
        (Outcome(Verdict.WAITING, 40.0, spaced=True), [40, 80, 160, 300, 300]),
        (Outcome(Verdict.WAITING, 40.0), [40, 40, 40]),
    ],
    ids=["failed", "spaced", "waiting"],
)
async def test_a_back_off_doubles_up_to_five_minutes(
    outcome: Outcome, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The waits are read off the timers that are asked for, not lived through."""
    loop = asyncio.get_running_loop()
    waits: list[float] = []
    call_at = loop.call_at

    def at_once(when: float, callback: Callable[..., object], *args: object) -> asyncio.TimerHandle:
        if callback.__name__ != "_due":
            return call_at(when, callback, *args)
        waits.append(round(when - loop.time()))
        return call_at(loop.time(), callback, *args)

    monkeypatch.setattr(loop, "call_at", at_once)
    bench = Bench()
    bench.script["a"] = [outcome] * len(expected)
    queue = WorkQueue(bench._work, 1, jitter=lambda: 1.0)
    queue.start()
    queue.add("a")
    await bench.until(len(expected) + 1)
    await queue.stop()
    assert waits == expected
