"""Waits for a condition, never for a time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(what: str, check: Callable[[], T | None], within_s: float, every_s: float = 0.05) -> T:
    """Return the first true value of `check`; fail the test naming `what` when the time is over."""
    started = time.monotonic()
    while True:
        if value := check():
            return value
        if time.monotonic() - started > within_s:
            raise AssertionError(f"{what} did not happen within {within_s} s")
        time.sleep(every_s)
