"""A slot outlives every failure of what it uses."""

import asyncio
from typing import cast

import pytest

from insight_engine.domain.errors import Unavailable
from insight_engine.domain.ids import uuid7
from insight_engine.domain.jobs import Attempt
from insight_engine.services import slot as slot_module
from insight_engine.services.running import Runner
from insight_engine.services.slot import Slot


class FailingRunner:
    """Fails as told, once for each error, then finds nothing and says so."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.answered = asyncio.Event()

    async def claim_waiting(self, older_than_s: float) -> Attempt | None:
        del older_than_s
        if self.errors:
            raise self.errors.pop()
        self.answered.set()
        return None

    async def claim(self, query_id: object) -> Attempt | None:
        del query_id
        return await self.claim_waiting(0)


async def works() -> bool:
    return True


@pytest.mark.parametrize("error", [Unavailable("away", "Away."), ValueError("a fault"), OSError("a fault")])
async def test_polling_goes_on_after_any_error(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slot_module, "POLL_S", 0.01)
    runner = FailingRunner(error)
    slot = Slot(cast("Runner", runner), works)
    polling = asyncio.create_task(slot.poll_forever())
    async with asyncio.timeout(5):
        await runner.answered.wait()
        await slot.drain(1)
        await polling


async def test_polling_goes_on_when_the_doorbell_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slot_module, "POLL_S", 0.01)
    answers = [True]

    async def doorbell() -> bool:
        if answers:
            answers.pop()
            raise RuntimeError("a fault")
        return True

    runner = FailingRunner()
    slot = Slot(cast("Runner", runner), doorbell)
    polling = asyncio.create_task(slot.poll_forever())
    async with asyncio.timeout(5):
        await runner.answered.wait()
        await slot.drain(1)
        await polling


async def test_a_failed_ring_leaves_the_slot_free_for_the_next() -> None:
    runner = FailingRunner(ValueError("a fault"))
    slot = Slot(cast("Runner", runner), works)
    await slot.ring(uuid7())
    assert not runner.answered.is_set()
    await slot.ring(uuid7())
    assert runner.answered.is_set()
