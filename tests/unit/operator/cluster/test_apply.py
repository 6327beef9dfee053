"""Applying writes only what differs and never what is not ours. The API server is played by a recorder."""

from typing import Any

import pytest

from insight_operator.cluster import errors
from insight_operator.cluster.apply import Applier, holds
from insight_operator.cluster.client import Client
from insight_operator.cluster.inventory import Inventory
from insight_operator.errors import Conflict, InvalidSpec, QuotaExceeded, WriteForbidden
from insight_operator.naming import RETAINED_FOR
from insight_operator.observe import Identity
from support.objects import ENGINE, OTHER, live

DESIRED = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "vanna-config", "namespace": "insight"},
    "data": {"a": "1"},
}

DESIRED_SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "vanna-database-admin", "namespace": "insight"},
    "data": {"username": "YWRtaW4="},
}


class FakeClient(Client):
    """Remembers the verbs; shows `there` as what exists; `refuse` is raised by every write."""

    def __init__(
        self, there: dict[str, Any] | None = None, refuse: errors.ClusterError | None = None
    ) -> None:
        self.there = there
        self.refuse = refuse
        self.verbs: list[str] = []
        self.strangers: list[list[dict[str, Any]]] = []

    async def get(self, *_: Any, **__: Any) -> dict[str, Any] | None:
        self.verbs.append("get")
        return self.there

    async def create(self, manifest: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        if self.there is not None:
            raise errors.AlreadyExists("exists", 409)
        return self._write("create", manifest)

    async def apply(self, manifest: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        return self._write("apply", manifest)

    async def patch(self, manifest: dict[str, Any], _changes: Any) -> dict[str, Any]:
        return self._write("patch", manifest)

    def _write(self, verb: str, manifest: dict[str, Any]) -> dict[str, Any]:
        if self.refuse is not None:
            raise self.refuse
        self.verbs.append(verb)
        managed = self.strangers.pop(0) if self.strangers and verb == "apply" else []
        return live(manifest["kind"], data=manifest.get("data"), managed=managed)


def applier(client: Client, inventory: Inventory | None = None) -> Applier:
    return Applier(client, ENGINE, inventory or Inventory(None), lambda _: None)


async def test_what_is_missing_is_created_by_one_request() -> None:
    client = FakeClient()
    await applier(client).ensure(DESIRED, None)
    assert client.verbs == ["create"]


async def test_what_is_proven_equal_costs_no_request() -> None:
    client, inventory = FakeClient(), Inventory(None)
    await applier(client, inventory).ensure(DESIRED, None)
    await applier(client, inventory).ensure(DESIRED, live(data={"a": "1"}))
    assert client.verbs == ["create"]


async def test_drift_is_undone_by_one_apply() -> None:
    client, inventory = FakeClient(), Inventory(None)
    await applier(client, inventory).ensure(DESIRED, None)
    await applier(client, inventory).ensure(DESIRED, live(data={"a": "2"}))
    assert client.verbs == ["create", "apply"]


async def test_a_foreign_object_is_refused_and_not_written() -> None:
    client = FakeClient()
    with pytest.raises(Conflict, match=r"ConfigMap/vanna-config.*insightengine.io/adopt=vanna"):
        await applier(client).ensure(DESIRED, live(owner=None))
    assert client.verbs == []


@pytest.mark.parametrize(
    "taken",
    [
        live("Secret", "vanna-database-admin", owner=Identity("vanna", "insight", "uid-of-the-other")),
        live("Secret", "vanna-database-admin", owner=None, labels={RETAINED_FOR: "vanna"}),
    ],
)
async def test_two_engines_whose_names_collide_are_told_of_each_other(taken: dict[str, Any]) -> None:
    """The database's administrator of `vanna` and the first administrator of `vanna-database`."""
    client = FakeClient(there=taken)
    second = Applier(client, Identity("vanna-database", "insight", "uid"), Inventory(None), lambda _: None)
    with pytest.raises(Conflict, match=r"Secret/vanna-database-admin.*InsightEngine vanna .*another name"):
        await second.ensure_secret(DESIRED_SECRET, taken)
    assert client.verbs == []


async def test_a_foreign_object_nobody_saw_is_refused_and_not_written() -> None:
    client = FakeClient(there=live(owner=None, labels={}))
    with pytest.raises(Conflict):
        await applier(client).ensure(DESIRED, None)
    assert client.verbs == ["get"]


async def test_an_own_object_nobody_saw_is_applied() -> None:
    client = FakeClient(there=live())
    await applier(client).ensure(DESIRED, None)
    assert client.verbs[-1] == "apply"


async def test_the_leftover_of_an_earlier_engine_is_waited_for() -> None:
    with pytest.raises(errors.LeftoverError):
        await applier(FakeClient()).ensure(DESIRED, live(owner=OTHER))


async def test_an_object_being_deleted_is_waited_for() -> None:
    going = live()
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    client = FakeClient()
    await applier(client).ensure(DESIRED, going)
    assert client.verbs == []


async def test_strangers_are_taken_over_before_the_apply() -> None:
    entry = {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:ports": {}}}}
    shared = live("Service", "vanna-api", managed=[entry])
    client = FakeClient(there=shared)
    desired = {**DESIRED, "kind": "Service", "metadata": {"name": "vanna-api", "namespace": "insight"}}
    await applier(client).ensure(desired, shared)
    assert client.verbs == ["get", "patch", "apply"]


async def test_a_stranger_who_came_in_between_is_taken_over_too() -> None:
    entry = {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:ports": {}}}}
    client = FakeClient(there=live("Service", "vanna-api", managed=[entry]))
    client.strangers = [[entry]]
    desired = {**DESIRED, "kind": "Service", "metadata": {"name": "vanna-api", "namespace": "insight"}}
    await applier(client).ensure(desired, live("Service", "vanna-api"))
    assert client.verbs == ["apply", "get", "patch", "apply"]


async def test_a_quota_is_named() -> None:
    client = FakeClient(refuse=errors.Forbidden("exceeded quota: small", 403))
    with pytest.raises(QuotaExceeded, match="Raise the quota"):
        await applier(client).ensure(DESIRED, None)


async def test_a_missing_right_is_no_quota() -> None:
    client = FakeClient(refuse=errors.Forbidden("cannot create", 403))
    with pytest.raises(WriteForbidden):
        await applier(client).ensure(DESIRED, None)


async def test_what_the_server_refuses_is_the_specs_fault() -> None:
    client = FakeClient(refuse=errors.Refused("field is immutable", 422))
    with pytest.raises(InvalidSpec, match="immutable"):
        await applier(client).ensure(DESIRED, live(data={"a": "2"}))


SECRET: dict[str, Any] = {
    "kind": "Secret",
    "type": "Opaque",
    "metadata": {"name": "vanna-jwt", "namespace": "insight", "labels": {"a": "1"}},
    "data": {"key": "c2FtZQ=="},
}


def secret(**changes: Any) -> dict[str, Any]:
    found = live("Secret", "vanna-jwt", owner=None, labels={"a": "1", "b": "2"})
    return {**found, "type": "Opaque", "data": {"key": "c2FtZQ=="}, **changes}


def test_a_secret_with_more_labels_is_left_alone() -> None:
    assert holds(secret(), SECRET)


@pytest.mark.parametrize(
    "drifted",
    [
        secret(data={"key": "b3RoZXI="}),
        secret(data={"key": "c2FtZQ==", "more": "YQ=="}),
        secret(metadata={**secret()["metadata"], "labels": {}}),
        secret(metadata={**secret()["metadata"], "ownerReferences": [{"uid": "x"}]}),
    ],
    ids=["value edited", "entry added", "label removed", "owner added"],
)
def test_an_edited_secret_differs(drifted: dict[str, Any]) -> None:
    assert not holds(drifted, SECRET)


@pytest.mark.parametrize("there", [None, live()], ids=["create", "apply"])
async def test_a_forbidden_write_is_told_with_the_servers_words(there: dict[str, Any] | None) -> None:
    client = FakeClient(refuse=errors.Forbidden("cannot create resource", 403))
    with pytest.raises(WriteForbidden, match="forbids it: cannot create resource"):
        await applier(client).write(DESIRED, there)


async def test_a_forbidden_first_credential_is_told_too() -> None:
    client = FakeClient(refuse=errors.Forbidden("cannot create resource", 403))
    with pytest.raises(WriteForbidden, match="ConfigMap/vanna-config"):
        await applier(client).create_only(DESIRED)
