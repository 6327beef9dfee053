"""What is left of a deleted InsightEngine is what `deletionPolicy` says, operator or no operator."""

import base64

import pytest

from insight_operator import naming
from support.space import NAME, Space, engine_manifest
from support.waiting import eventually

RETAINED = {"PersistentVolumeClaim", "Secret"}


def delete(space: Space) -> None:
    space.kube.delete(naming.KIND, NAME)
    eventually("the InsightEngine is gone", lambda: space.kube.get(naming.KIND, NAME) is None, 20)


def left(space: Space) -> set[str]:
    """Return the kinds of children that still exist."""
    return {kind for kind, _ in space.children()}


@pytest.mark.parametrize("operator_up", [True, False], ids=["operator up", "operator down"])
def test_retain_keeps_exactly_volumes_and_credentials(ready: Space, operator_up: bool) -> None:
    kept = {key for key in ready.children() if key[0] in RETAINED}
    if not operator_up:
        ready.operator.kill()
    delete(ready)
    eventually("the rest is gone", lambda: left(ready) == RETAINED, 40)
    assert ready.children().keys() == kept


@pytest.mark.parametrize("operator_up", [True, False], ids=["operator up", "operator down"])
def test_delete_leaves_nothing(space: Space, operator_up: bool) -> None:
    space.operator.start()
    space.create_engine(deletionPolicy="Delete")
    space.wait_for("Ready")
    if not operator_up:
        space.operator.kill()
    delete(space)
    eventually("everything is gone", lambda: not left(space), 40)


@pytest.mark.parametrize("operator_up", [True, False], ids=["operator up", "operator down"])
def test_the_same_name_takes_up_what_was_retained(ready: Space, operator_up: bool) -> None:
    passwords = ready.passwords()
    claims = {uid_of(ready, f"data-vanna-{part}-0") for part in ("postgres", "redis")}
    if not operator_up:
        ready.operator.kill()
    delete(ready)
    ready.create_engine()
    if not operator_up:
        ready.operator.start()
    ready.wait_for("Ready", within_s=60)
    assert ready.passwords() == passwords
    assert {uid_of(ready, f"data-vanna-{part}-0") for part in ("postgres", "redis")} == claims


def test_the_same_name_starts_anew_once_what_was_deleted_is_gone(space: Space) -> None:
    space.operator.start()
    space.create_engine(deletionPolicy="Delete")
    space.wait_for("Ready")
    passwords, claim = space.passwords(), uid_of(space, "data-vanna-postgres-0")
    delete(space)
    space.create_engine(deletionPolicy="Delete")
    space.wait_for("Reconciling", reason="WaitingForDatabase")
    assert uid_of(space, "data-vanna-postgres-0") != claim
    assert space.passwords().keys() == passwords.keys()
    assert space.passwords()["vanna-database"] != passwords["vanna-database"]


def uid_of(space: Space, claim: str) -> str:
    found = space.kube.get("PersistentVolumeClaim", claim)
    assert found is not None
    return str(found["metadata"]["uid"])


def owned(space: Space) -> set[bool]:
    """Return whether what holds data and credentials is owned: by all, by none, or by some."""
    found = [item for (kind, _), item in space.children().items() if kind in RETAINED]
    return {bool(item["metadata"].get("ownerReferences")) for item in found}


def test_the_policy_can_be_changed_and_changed_back(ready: Space) -> None:
    assert owned(ready) == {False}
    ready.kube.patch(naming.KIND, NAME, {"spec": {"deletionPolicy": "Delete"}})
    eventually("all are owned", lambda: owned(ready) == {True}, 20)
    ready.kube.patch(naming.KIND, NAME, {"spec": {"deletionPolicy": "Retain"}})
    eventually("none is owned", lambda: owned(ready) == {False}, 20)


def test_lost_credentials_of_existing_data_are_not_made_anew(ready: Space) -> None:
    delete(ready)
    eventually("the rest is gone", lambda: left(ready) == RETAINED, 40)
    for kind, name in list(ready.children()):
        if kind == "Secret":
            ready.kube.delete(kind, name)
    ready.create_engine()
    stalled = ready.wait_for("Stalled", reason="InvalidReference")
    assert "vanna-state" in stalled["message"]
    assert not [key for key in ready.children() if key[0] == "Secret"]


def test_a_bootstrap_admin_that_is_given_no_longer_holds_nothing_up(space: Space) -> None:
    boss = {entry: base64.b64encode(b"boss-of-vanna").decode() for entry in ("username", "password")}
    metadata = {"name": "boss", "labels": {naming.USE_LABEL: "true"}}
    space.kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": boss})
    space.operator.start()
    space.create_engine(auth={"bootstrapAdmin": {"secretRef": {"name": "boss"}}})
    space.wait_for("Ready")
    space.kube.patch(naming.KIND, NAME, {"spec": {"auth": {"bootstrapAdmin": None}}})
    space.wait_for("Ready")
    assert space.kube.get("Secret", "vanna-admin") is None


def test_engines_do_not_disturb_each_other(ready: Space) -> None:
    ready.kube.create(engine_manifest("other"))
    eventually("the other has children", lambda: ready.kube.get("StatefulSet", "other-postgres"), 20)
    ready.kube.delete(naming.KIND, "other")
    eventually("its children go", lambda: ready.kube.get("StatefulSet", "other-postgres") is None, 40)
    assert ready.condition("Ready")["status"] == "True"
