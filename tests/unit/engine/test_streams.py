"""Answers that take long: kept alive, bounded in number and time, and giving back what they hold."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, cast

import pytest
from starlette.types import Message

from insight_engine.api import streams
from insight_engine.api.streams import BoundedStream, Slots, with_keep_alive
from insight_engine.domain.jobs import Job

JOB = cast("Job", object())


async def jobs_that_wait(ended: asyncio.Event) -> AsyncGenerator[Job]:
    try:
        yield JOB
        await asyncio.Event().wait()
    finally:
        ended.set()


async def served(stream: BoundedStream) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/", "headers": [], "asgi": {}}
    await stream(scope, receive, send)
    return sent


def stream_of(content: AsyncIterator[bytes], slots: Slots) -> BoundedStream:
    return BoundedStream(content, slots, media_type="text/plain", headers={})


async def pieces(*, fail: bool = False) -> AsyncIterator[bytes]:
    yield b"some"
    if fail:
        raise RuntimeError
    yield b"more"


async def test_a_silent_query_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "KEEP_ALIVE_S", 0.01)
    kept = cast("AsyncGenerator[Job | None]", with_keep_alive(jobs_that_wait(asyncio.Event())))
    assert [await anext(kept) for _ in range(3)] == [JOB, None, None]
    await kept.aclose()


async def test_a_stream_of_events_ends_in_time_and_lets_go_of_its_source(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streams, "KEEP_ALIVE_S", 0.01)
    monkeypatch.setattr(streams, "LONGEST_S", 0.05)
    ended = asyncio.Event()
    async with asyncio.timeout(5):
        found = [job async for job in with_keep_alive(jobs_that_wait(ended))]
    assert found[0] is JOB
    assert ended.is_set()


async def test_one_stream_too_many_is_told_to_come_again() -> None:
    slots = Slots(1)
    slots.taken = 1
    start, body = await served(stream_of(pieces(), slots))
    assert start["status"] == 429
    assert (b"retry-after", b"1") in start["headers"]
    assert json.loads(body["body"])["code"] == "too_many_streams"
    assert slots.taken == 1


@pytest.mark.parametrize("fail", [False, True])
async def test_a_stream_gives_its_slot_back_however_it_ends(*, fail: bool) -> None:
    slots = Slots(1)
    try:
        await served(stream_of(pieces(fail=fail), slots))
    except (RuntimeError, ExceptionGroup):
        assert fail
    assert slots.taken == 0
