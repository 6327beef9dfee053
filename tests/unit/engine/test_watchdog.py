"""One thread that makes calls when their moment comes."""

import threading
import time

from insight_engine.adapters.sources.watchdog import Watchdog

LONG_S = 3600
WAIT_S = 30


def _after(seconds: float) -> float:
    return time.monotonic() + seconds


def test_a_call_is_made_when_its_moment_comes() -> None:
    called = threading.Event()
    Watchdog().call_at(_after(0.01), called.set)
    assert called.wait(WAIT_S)


def test_an_earlier_call_is_not_held_up_by_a_later_one() -> None:
    watchdog, called, later = Watchdog(), threading.Event(), threading.Event()
    watchdog.call_at(_after(LONG_S), later.set)
    watchdog.call_at(_after(0.01), called.set)
    assert called.wait(WAIT_S)
    assert not later.is_set()


def test_what_is_taken_back_is_not_called() -> None:
    watchdog, forgotten, called = Watchdog(), threading.Event(), threading.Event()
    moment = _after(0.05)
    watchdog.forget(watchdog.call_at(moment, forgotten.set))
    watchdog.call_at(moment, called.set)
    assert called.wait(WAIT_S)
    assert not forgotten.is_set()


def test_a_call_that_blocks_delays_no_other() -> None:
    watchdog, release, called = Watchdog(), threading.Event(), threading.Event()
    watchdog.call_at(_after(0), lambda: release.wait(WAIT_S))
    watchdog.call_at(_after(0.01), called.set)
    assert called.wait(WAIT_S)
    release.set()


def test_it_goes_on_when_nothing_was_due_for_a_while() -> None:
    watchdog = Watchdog()
    for _ in range(3):
        called = threading.Event()
        watchdog.call_at(_after(0), called.set)
        assert called.wait(WAIT_S)
