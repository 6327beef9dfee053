"""Secrets are read by name, once, and again at a second look."""

from typing import Any

from insight_operator.cluster.client import Client
from insight_operator.cluster.secrets import SecretShelf
from support.objects import live

KEY = ("insight", "vanna")


class FakeClient(Client):
    """Shows the Secrets in `there` and counts the readings."""

    def __init__(self, **there: Any) -> None:
        self.there = there
        self.reads = 0

    async def get(self, kind: Any, namespace: str, name: str, **_: Any) -> dict[str, Any] | None:
        self.reads += 1
        found = self.there.get(name)
        return dict(found) if found else None


def secret(version: int) -> dict[str, Any]:
    return live("Secret", "a", version=version)


async def test_a_secret_is_read_once() -> None:
    client = FakeClient(a=secret(1))
    shelf = SecretShelf(client)
    await shelf.read(KEY, ["a"])
    assert await shelf.read(KEY, ["a"]) == {"a": secret(1)}
    assert client.reads == 1


async def test_an_unchanged_secret_wakes_nobody() -> None:
    shelf = SecretShelf(FakeClient(a=secret(1)))
    await shelf.read(KEY, ["a", "absent"])
    assert await shelf.refresh() == set()


async def test_a_changed_secret_wakes_its_readers() -> None:
    client = FakeClient(a=secret(1))
    shelf = SecretShelf(client)
    await shelf.read(KEY, ["a"])
    client.there["a"] = secret(2)
    assert await shelf.refresh() == {KEY}
    assert await shelf.read(KEY, ["a"]) == {"a": secret(2)}


async def test_a_deleted_secret_wakes_its_readers() -> None:
    client = FakeClient(a=secret(1))
    shelf = SecretShelf(client)
    await shelf.read(KEY, ["a"])
    client.there.clear()
    assert await shelf.refresh() == {KEY}


async def test_a_secret_that_appears_wakes_its_readers() -> None:
    client = FakeClient()
    shelf = SecretShelf(client)
    await shelf.read(KEY, ["a"])
    client.there["a"] = secret(1)
    assert await shelf.refresh() == {KEY}


async def test_what_nobody_cares_for_is_not_read_again() -> None:
    client = FakeClient(a=secret(1))
    shelf = SecretShelf(client)
    await shelf.read(KEY, ["a"])
    shelf.forget(KEY)
    await shelf.refresh()
    assert client.reads == 1
