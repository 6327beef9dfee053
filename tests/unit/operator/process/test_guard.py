"""A watch is called deaf when it stays silent while the API server answers, never when nobody does."""

from insight_operator.cluster.pulse import DEAF_S, Pulse
from insight_operator.handlers.guard import Guard
from insight_operator.telemetry import Health


class World:
    """A watch of pods that was heard long ago, and an API server that answers or not."""

    def __init__(self, *, answers: bool) -> None:
        self.now = 0.0
        self.answers = answers
        self.asked = 0
        self.pulse = Pulse(lambda: self.now)
        self.pulse.heard("Pod", "insight")
        self.now = DEAF_S + 1
        self.health = Health()
        self.guard = Guard(self.pulse, self.health, self.ask)

    async def ask(self) -> bool:
        self.asked += 1
        return self.answers

    async def look(self, times: int) -> bool:
        for _ in range(times):
            await self.guard.look()
        return self.health.alive


async def test_a_silent_watch_is_deaf_when_others_are_answered() -> None:
    world = World(answers=True)
    assert await world.look(2)
    assert not await world.look(1)


async def test_a_watch_that_is_heard_again_is_alive_again() -> None:
    world = World(answers=True)
    assert not await world.look(3)
    world.pulse.heard("Pod", "insight")
    assert await world.look(1)


async def test_an_api_server_that_is_away_makes_nobody_deaf() -> None:
    world = World(answers=False)
    assert await world.look(10)


async def test_after_an_outage_there_is_time_to_connect_again() -> None:
    world = World(answers=False)
    await world.look(10)
    world.answers = True
    assert await world.look(2)
    world.pulse.heard("Pod", "insight")
    assert await world.look(5)


async def test_while_watches_are_heard_nothing_is_asked() -> None:
    world = World(answers=True)
    world.pulse.heard("Pod", "insight")
    await world.look(5)
    assert world.asked == 0
