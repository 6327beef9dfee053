"""Calls that are made when a moment comes, unless they are taken back: one thread for all of them.

A timer of the standard library is a thread of its own, and starting one costs more than a small query may.
"""

import math
import threading
import time
from collections.abc import Callable
from typing import Final

Call = Callable[[], object]


class Watchdog:
    """Makes each call on a thread of its own, so that one that blocks delays no other."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: dict[int, tuple[float, Call]] = {}
        self._last = 0
        self._wakes_at = math.inf
        self._thread: threading.Thread | None = None

    def call_at(self, moment: float, call: Call) -> int:
        """Have it called at a moment of the monotonic clock; what `forget` takes."""
        with self._changed:
            self._last += 1
            self._due[self._last] = (moment, call)
            if self._thread is None or not self._thread.is_alive():  # a fork takes no threads along
                self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
                self._thread.start()
            elif moment < self._wakes_at:
                self._changed.notify()
            return self._last

    def forget(self, number: int) -> None:
        """Take a call back; nothing when it was made. The thread is left asleep: it looks when it wakes."""
        with self._changed:
            self._due.pop(number, None)

    def _watch(self) -> None:
        while True:
            for call in self._wait():
                threading.Thread(target=call, name="watchdog-call", daemon=True).start()

    def _wait(self) -> list[Call]:
        """Sleep until the next moment, or until there is an earlier one; what must be called now."""
        with self._changed:
            self._wakes_at = min((moment for moment, _ in self._due.values()), default=math.inf)
            left = self._wakes_at - time.monotonic()
            if left > 0:
                self._changed.wait(None if left == math.inf else min(left, threading.TIMEOUT_MAX))
            now = time.monotonic()
            late = [number for number, (moment, _) in self._due.items() if moment <= now]
            return [self._due.pop(number)[1] for number in late]


WATCHDOG: Final = Watchdog()
"""The one of this process."""
