"""What this instance says about itself: ok, degraded (the broker is away), down (the database is)."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final

from insight_engine.ports import DatabaseProbe, Doorbell

PROBE_S: Final = 1.5


@dataclass(frozen=True, slots=True)
class Health:
    """The verdict and what it rests on."""

    database: bool
    broker: bool

    @property
    def status(self) -> str:
        """One word for both."""
        if not self.database:
            return "down"
        return "ok" if self.broker else "degraded"


@dataclass(frozen=True, slots=True)
class HealthService:
    """Asks the dependencies, each within a bound."""

    database: DatabaseProbe
    doorbell: Doorbell

    async def check(self) -> Health:
        """Ask both at once."""
        database, broker = await asyncio.gather(
            _within(self.database.healthy(), PROBE_S), _within(self.doorbell.healthy(), PROBE_S)
        )
        return Health(database, broker)


async def _within(probe: Awaitable[bool], seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await probe
    except TimeoutError:
        return False
