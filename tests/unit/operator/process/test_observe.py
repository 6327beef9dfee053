"""A namespace that is gone takes no other one down with it."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from insight_operator.cluster.client import Client, Listing
from insight_operator.cluster.errors import Forbidden
from insight_operator.cluster.kinds import Kind
from insight_operator.observe import Observer
from support.objects import engine


class FakeClient(Client):
    """Shows one InsightEngine per namespace; refuses those in `gone`."""

    def __init__(self, *gone: str) -> None:
        self.gone = set(gone)

    async def list_all(self, kind: Kind, namespace: str, selector: str = "") -> Listing:
        if namespace in self.gone:
            raise Forbidden(f"cannot list {kind.plural} in {namespace}", 403)
        items: list[dict[str, Any]] = [] if selector else [engine(namespace=namespace)]
        return Listing(tuple(items), 1)


class Wide(Client):
    """Shows InsightEngines of all namespaces in one list."""

    def __init__(self, there: list[dict[str, Any]]) -> None:
        self.there = there

    async def list_all(self, kind: Kind, namespace: str, selector: str = "") -> Listing:
        assert namespace == ""
        return Listing(() if selector else tuple(self.there), 5)


async def test_the_namespaces_that_are_left_are_looked_at() -> None:
    observer = Observer(FakeClient("gone"), ["gone", "insight"])
    assert await observer.sync() == {("insight", "vanna")}


async def test_a_namespace_that_is_gone_is_told_once() -> None:
    observer = Observer(FakeClient("gone"), ["gone", "insight"])
    with capture_logs() as told:
        await observer.sync()
        await observer.sync()
    assert [(line["log_level"], line["namespace"]) for line in told] == [("error", "gone")]


async def test_a_namespace_that_is_back_is_looked_at_again() -> None:
    client = FakeClient("gone")
    observer = Observer(client, ["gone", "insight"])
    await observer.sync()
    client.gone.clear()
    assert await observer.sync() == {("gone", "vanna")}


async def test_no_namespace_left_is_an_error() -> None:
    with pytest.raises(Forbidden):
        await Observer(FakeClient("gone"), ["gone"]).sync()


async def test_everywhere_is_one_look_and_names_no_namespace() -> None:
    observer = Observer(FakeClient("*"), ["*"])
    assert await observer.sync() == {("", "vanna")}
    assert observer.everywhere
    assert observer.namespaces == []


async def test_what_is_gone_from_any_namespace_is_noticed() -> None:
    client = Wide([engine(namespace=place) for place in ("a", "b")])
    observer = Observer(client, ["*"])
    await observer.sync()
    client.there.pop()
    assert await observer.sync() == {("b", "vanna")}
    assert observer.store.engines() == [("a", "vanna")]
