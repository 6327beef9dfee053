"""Secrets are read by name, once, and again at a second look."""

from typing import Any

import pytest

from insight_operator.cluster.client import Client
from insight_operator.cluster.errors import Forbidden
from insight_operator.cluster.secrets import FRESH_S, SecretShelf
from insight_operator.errors import WriteForbidden
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


async def test_a_pass_long_after_the_last_reading_reads_again() -> None:
    now = 0.0
    client = FakeClient(a=secret(1))
    shelf = SecretShelf(client, lambda: now)
    await shelf.read(KEY, ["a"])
    client.there["a"] = secret(2)
    now = FRESH_S
    assert await shelf.read(KEY, ["a"]) == {"a": secret(1)}
    now = FRESH_S + 1
    assert await shelf.read(KEY, ["a"]) == {"a": secret(2)}


async def test_only_the_secrets_of_some_engines_are_read_again_when_asked_so() -> None:
    client = FakeClient(a=secret(1))
    shelf = SecretShelf(client)
    await shelf.read(KEY, ["a"])
    client.there["a"] = secret(2)
    assert await shelf.refresh({("insight", "other")}) == set()
    assert await shelf.refresh({KEY}) == {KEY}


REFUSAL = 'User "system:serviceaccount:sys:op" cannot get resource "secrets"'


class RefusedClient(FakeClient):
    """Has no right to Secrets while `refuses`."""

    refuses = True

    async def get(self, kind: Any, namespace: str, name: str, **options: Any) -> dict[str, Any] | None:
        if self.refuses:
            raise Forbidden(REFUSAL, 403)
        return await super().get(kind, namespace, name, **options)


async def test_a_missing_right_is_told_with_the_command_that_gives_it() -> None:
    with pytest.raises(WriteForbidden) as refusal:
        await SecretShelf(RefusedClient()).read(KEY, ["a"])
    command = (
        "insight-operator rbac --cluster --namespace insight --service-account sys/op | kubectl apply -f -"
    )
    assert refusal.value.field == "metadata.namespace"
    assert refusal.value.message.endswith(command)


async def test_a_right_that_is_given_later_is_used() -> None:
    client = RefusedClient(a=secret(1))
    shelf = SecretShelf(client)
    with pytest.raises(WriteForbidden):
        await shelf.read(KEY, ["a"])
    client.refuses = False
    assert await shelf.read(KEY, ["a"]) == {"a": secret(1)}


async def test_a_right_that_is_taken_away_wakes_the_readers_and_nobody_else_suffers() -> None:
    client = RefusedClient(a=secret(1))
    client.refuses = False
    shelf = SecretShelf(client)
    await shelf.read(KEY, ["a", "absent"])
    client.refuses = True
    assert await shelf.refresh() == {KEY}
    with pytest.raises(WriteForbidden):
        await shelf.read(KEY, ["a"])
