"""Notices a watch that stays silent although the API server answers: then only a restart is left.

A watch that goes silent is made anew by itself long before. While the API server is away nothing is to be
heard, and a restart would cure nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from insight_operator.cluster.pulse import Pulse
from insight_operator.telemetry import Health

_LOOK_S: Final = 15.0
_PATIENCE: Final = 3
"""Looks in a row: time enough to connect again after an API server was away for long."""

_log = structlog.get_logger("insight_operator")


class Guard:
    """Judges the watches and tells the health server."""

    def __init__(self, pulse: Pulse, health: Health, answers: Callable[[], Awaitable[bool]]) -> None:
        self._pulse = pulse
        self._health = health
        self._answers = answers
        self._deaf_looks = 0

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(_LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Look once."""
        deaf = self._pulse.deaf()
        self._deaf_looks = self._deaf_looks + 1 if deaf and await self._answers() else 0
        if self._deaf_looks == _PATIENCE:
            _log.error("Watches are deaf", watches=[" ".join(stream).strip() for stream in deaf])
        self._health.deaf = self._deaf_looks >= _PATIENCE
