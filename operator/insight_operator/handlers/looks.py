"""Later looks at the world: at Secrets, which nothing watches, and at lists, in case a watch lost an event.

They become rare while nothing happens, and rarer where there is much to look at, so that a quiet world costs
next to nothing however large it is.
"""

import asyncio
import random
import time
from collections.abc import Callable, Collection
from typing import Final

import structlog

from insight_operator.cluster.errors import ClusterError
from insight_operator.cluster.store import Key
from insight_operator.observe import Observer

LONGEST_S: Final = 600.0
_JITTER: Final = 0.1
CHEAP_S: Final = 0.2
"""Processor time of a look that is repeated as soon as asked for; one that costs more, as much later."""

_log = structlog.get_logger("insight_operator")


class Rhythm:
    """When to look at everything again: soon after something happened, then after twice the time each time.

    Args:
        first_s: the least time between two looks.
        now_s: the time at which everything was looked at for the first time.
        cost_s: processor time that took.
    """

    def __init__(self, first_s: float, now_s: float, cost_s: float) -> None:
        self._first_s = first_s
        self._quiet_s = first_s
        self._looked(now_s, cost_s)

    def stir(self) -> None:
        """Take in that something happened."""
        self._quiet_s = self._first_s

    def is_due(self, now_s: float) -> bool:
        """Tell whether to look now."""
        wait_s = self._quiet_s * max(1.0, self._cost_s / CHEAP_S)
        # Judged at moments that come this much early or late: none is missed for having come early.
        return now_s - self._looked_at_s >= min(wait_s, LONGEST_S) - _JITTER * self._first_s

    def looked(self, now_s: float, cost_s: float, *, news: bool) -> None:
        """Take in that everything was looked at, at what cost, and whether it showed what no watch told."""
        self._quiet_s = self._first_s if news else min(2 * self._quiet_s, LONGEST_S)
        self._looked(now_s, cost_s)

    def _looked(self, now_s: float, cost_s: float) -> None:
        self._looked_at_s = now_s
        self._cost_s = cost_s


class Lookout:
    """Looks again, from time to time.

    Args:
        observer: looks.
        wake: gets the keys of the InsightEngines for which there was news.
        restless: returns the InsightEngines that are not as they should be: their Secrets are read each time.
        first_s: seconds between two moments at which it is judged whether to look.
        first_cost_s: processor time of the first look at everything.
    """

    def __init__(
        self,
        observer: Observer,
        wake: Callable[[set[Key]], None],
        restless: Callable[[], Collection[Key]],
        first_s: float,
        first_cost_s: float,
    ) -> None:
        self._observer = observer
        self._wake = wake
        self._restless = restless
        self._first_s = first_s
        self.rhythm = Rhythm(first_s, time.monotonic(), first_cost_s)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(self._first_s * random.uniform(1 - _JITTER, 1 + _JITTER))
            try:
                if self.rhythm.is_due(time.monotonic()):
                    await self._look_at_everything()
                elif restless := self._restless():
                    self._wake(await self._observer.shelf.refresh(restless))
            except ClusterError as error:
                _log.warning("Second look failed", error=str(error))
            except Exception as defect:  # noqa: BLE001 - nobody else repairs what a watch lost
                _log.error("Second look failed", error=str(defect), exc_info=defect)

    async def _look_at_everything(self) -> None:
        began = time.process_time()
        news = await self._observer.shelf.refresh() | await self._observer.sync()
        self._wake(news)
        self.rhythm.looked(time.monotonic(), time.process_time() - began, news=bool(news))
