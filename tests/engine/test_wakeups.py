"""Wake-ups and control calls over a real Redis: heard by everybody, also after the connection was lost."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from insight_engine.adapters.queue.bell import RedisBell
from insight_engine.adapters.queue.broker import redis_client
from insight_engine.adapters.queue.local import LocalWakeups
from insight_engine.adapters.queue.wakeups import RedisWakeups
from insight_engine.domain.control import ControlCall
from insight_engine.domain.ids import uuid7
from support.async_waiting import true
from support.servers import RedisServer
from support.tcp_relay import TcpRelay


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def mounted(folder: Path, redis: RedisServer, port: int) -> Path:
    (folder / "broker").mkdir(exist_ok=True)
    for key, text in {
        "host": "127.0.0.1",
        "port": str(port),
        "username": redis.username,
        "password": redis.password,
    }.items():
        (folder / "broker" / key).write_text(text)
    return folder


@asynccontextmanager
async def listening(secrets: Path) -> AsyncIterator[RedisWakeups]:
    wakeups = RedisWakeups(redis_client(secrets, socket_timeout_s=1.0), "insight:test:ended")
    task = asyncio.create_task(wakeups.listen_forever())
    try:
        await connected(wakeups)
        yield wakeups
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await wakeups.close()


async def connected(wakeups: RedisWakeups) -> None:
    await true("it listens", lambda: wakeups.subscription.connected, 15)


async def test_every_waiter_of_every_process_is_woken_by_each_change(
    redis: RedisServer, tmp_path: Path
) -> None:
    secrets = mounted(tmp_path, redis, redis.port)
    query = uuid7()
    async with (
        listening(secrets) as one,
        listening(secrets) as other,
        one.expect(query) as first,
        one.expect(query) as second,
        other.expect(query) as third,
    ):
        for _ in range(3):  # claimed, progressed, ended
            await one.announce(query)
            assert await asyncio.gather(*(w.wait(5) for w in (first, second, third))) == [True] * 3
        await one.announce(uuid7())
        assert not await first.wait(0.1)


async def test_a_connection_whose_other_end_vanished_is_replaced_within_seconds(
    redis: RedisServer, tmp_path: Path
) -> None:
    query = uuid7()
    async with (
        TcpRelay(redis.port) as relay,
        listening(mounted(tmp_path, redis, relay.port)) as wakeups,
        wakeups.expect(query) as wakeup,
    ):
        relay.fall_silent()
        # What was announced meanwhile is lost; whoever waits is told to look as soon as it listens.
        assert await wakeup.wait(10)
        await connected(wakeups)
        await wakeups.announce(query)
        assert await wakeup.wait(5)


async def test_a_silent_channel_keeps_its_connection(redis: RedisServer, tmp_path: Path) -> None:
    async with TcpRelay(redis.port) as relay, listening(mounted(tmp_path, redis, relay.port)) as wakeups:
        before = relay.accepted
        await asyncio.sleep(6)  # three rounds of silence and ping
        assert wakeups.subscription.connected
        assert relay.accepted == before


async def test_a_restarted_redis_is_listened_to_again(redis: RedisServer, tmp_path: Path) -> None:
    query = uuid7()
    async with listening(mounted(tmp_path, redis, redis.port)) as wakeups:
        redis.stop()
        await wakeups.announce(query)  # nobody is there: it must neither raise nor hang
        await asyncio.to_thread(redis.start)
        async with wakeups.expect(query) as wakeup:
            await connected(wakeups)
            await wakeups.announce(query)
            assert await wakeup.wait(5)


async def test_calls_arrive_with_the_query_they_are_about(redis: RedisServer, tmp_path: Path) -> None:
    secrets = mounted(tmp_path, redis, redis.port)
    bells = [RedisBell(redis_client(secrets, socket_timeout_s=1.0), "insight:test:control") for _ in "12"]
    tasks = [asyncio.create_task(bell.listen_forever()) for bell in bells]
    await true("both listen", lambda: all(bell.subscription.connected for bell in bells), 10)
    for call in (ControlCall(uuid7()), ControlCall(uuid7(), uuid7())):
        await bells[0].call(call)
        assert [await bell.heard(5) for bell in bells] == [call, call]
    assert await bells[1].heard(0.05) is None
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.gather(*(bell.close() for bell in bells))


async def test_a_waiter_that_left_is_forgotten() -> None:
    wakeups = LocalWakeups()
    query = uuid7()
    async with wakeups.expect(query):
        async with wakeups.expect(query):
            pass
        await wakeups.announce(query)
    assert not wakeups._expected
