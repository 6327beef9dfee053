"""A reflector goes on from where it was, lists anew when it cannot, and survives whatever a watch does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from insight_operator.cluster import errors, kinds, reflector
from insight_operator.cluster.client import Client, Listing
from insight_operator.cluster.kinds import Kind
from insight_operator.cluster.pulse import Pulse
from insight_operator.cluster.reflector import Reflector
from insight_operator.cluster.store import Key, Store
from support import async_waiting
from support.objects import live

KEY = ("insight", "vanna")
Event = tuple[str, dict[str, Any]]


def bookmark(version: int) -> Event:
    return "BOOKMARK", {"kind": "ConfigMap", "metadata": {"resourceVersion": str(version)}}


class FakeClient(Client):
    """Plays one script per watch, then stays silent; an exception in a script is raised."""

    def __init__(self, *scripts: list[Event | Exception]) -> None:
        self.scripts = list(scripts)
        self.asked: list[int | str] = []
        self.there: tuple[dict[str, Any], ...] = ()
        self.refuse: list[errors.ClusterError] = []

    async def list_all(self, kind: Kind, namespace: str, selector: str = "") -> Listing:
        self.asked.append("list")
        if self.refuse:
            raise self.refuse.pop(0)
        return Listing(self.there, 50)

    async def watch(self, kind: Kind, namespace: str, selector: str, since: int) -> AsyncIterator[Event]:
        self.asked.append(since)
        if not self.scripts:
            await asyncio.Event().wait()
        for event in self.scripts.pop(0):
            if isinstance(event, Exception):
                raise event
            yield event


Following = Callable[..., Awaitable[tuple[FakeClient, set[Key], Store]]]


@pytest.fixture
async def following(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Following]:
    """Follow ConfigMaps from version 10 on through a scripted client, until it waits silently."""
    monkeypatch.setattr(reflector, "_FIRST_WAIT_S", 0.0)
    monkeypatch.setattr(reflector, "_REFUSED_WAIT_S", 0.0)
    tasks: list[asyncio.Task[None]] = []

    async def follow(client: FakeClient, pulse: Pulse | None = None) -> tuple[FakeClient, set[Key], Store]:
        woken: set[Key] = set()
        store = Store()
        store.put(live(version=5))
        made = Reflector(client, store, pulse or Pulse(), woken.update, kinds.CONFIG_MAP, "insight")
        watches = len(client.scripts) + 1
        tasks.append(asyncio.create_task(made.run(10)))

        def settled() -> bool:
            return sum(asked != "list" for asked in client.asked) == watches

        await async_waiting.true("it waits", settled, 10)
        return client, woken, store

    yield follow
    for task in tasks:
        task.cancel()


async def test_it_goes_on_after_the_last_version_it_heard_of(following: Following) -> None:
    client, woken, _ = await following(FakeClient([("MODIFIED", live(version=12, data={})), bookmark(30)]))
    assert client.asked == [10, 30]
    assert woken == {KEY}


async def test_a_bookmark_is_a_sign_of_life_and_wakes_nobody(following: Following) -> None:
    now = 0.0
    pulse = Pulse(lambda: now)
    _, woken, _ = await following(FakeClient([bookmark(30)]), pulse)
    assert woken == set()
    assert pulse.ages() == {"ConfigMap": 0.0}


async def test_a_broken_connection_costs_no_list(following: Following) -> None:
    client, _, _ = await following(FakeClient([bookmark(30), errors.Unreachable("silent")]))
    assert client.asked == [10, 30]


async def test_a_version_too_old_is_listed_anew_and_shows_what_was_deleted(following: Following) -> None:
    client, woken, store = await following(FakeClient([errors.Outdated("too old", 410)]))
    assert client.asked == [10, "list", 50]
    assert woken == {KEY}
    assert store.get("ConfigMap", "insight", "vanna-config") is None


async def test_an_event_that_cannot_be_taken_in_leads_to_a_list(following: Following) -> None:
    client, _, _ = await following(FakeClient([("MODIFIED", {"kind": "ConfigMap", "metadata": {}})]))
    assert client.asked == [10, "list", 50]


async def test_a_refused_watch_is_excused_and_tried_again(following: Following) -> None:
    pulse = Pulse()
    pulse.heard("ConfigMap", "insight")
    script = FakeClient([errors.Forbidden("no right", 403)])
    script.refuse = [errors.Forbidden("no right", 403)]
    client, _, _ = await following(script, pulse)
    assert client.asked == [10, "list", "list", 50]
