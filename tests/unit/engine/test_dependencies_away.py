"""Dependencies that cannot serve: which failures mean "away", and that announcing never raises."""

from collections.abc import Awaitable
from typing import Any, cast
from uuid import UUID

import psycopg
import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from insight_engine.adapters.queue.doorbell import CeleryDoorbell
from insight_engine.adapters.queue.wakeups import RedisWakeups
from insight_engine.adapters.store.database import _translated
from insight_engine.domain.errors import ConfigurationError, Unavailable

REFUSALS = [OSError("gone"), ResponseError("READONLY"), ConfigurationError("no_broker", "No broker.")]


def refusal(state: str) -> DBAPIError:
    return DBAPIError("SELECT 1", None, psycopg.errors.lookup(state)("no"))


@pytest.mark.parametrize(
    "error",
    [PoolTimeoutError("full"), refusal("25006"), refusal("53300"), refusal("57P01"), OSError("gone")],
)
async def test_a_server_that_cannot_serve_now_is_unavailable(error: Exception) -> None:
    with pytest.raises(Unavailable):
        async with _translated():
            raise error


async def test_a_fault_of_a_statement_is_not_taken_for_an_outage() -> None:
    fault = IntegrityError("INSERT", None, psycopg.errors.UniqueViolation("twice"))
    with pytest.raises(IntegrityError):
        async with _translated():
            raise fault


class FailingRedis:
    def __init__(self, error: Exception) -> None:
        self._error = error

    async def ping(self) -> None:
        raise self._error

    def publish(self, channel: str, data: bytes) -> Awaitable[None]:
        del channel, data
        return self.ping()


@pytest.mark.parametrize("error", REFUSALS, ids=repr)
async def test_announcing_never_raises(error: Exception) -> None:
    await RedisWakeups(cast("Redis", FailingRedis(error)), "channel").announce(UUID(int=1))


@pytest.mark.parametrize("error", REFUSALS, ids=repr)
async def test_a_broker_that_refuses_is_not_healthy(error: Exception) -> None:
    doorbell = CeleryDoorbell(cast("Any", None), cast("Redis", FailingRedis(error)))
    assert not await doorbell.healthy()
