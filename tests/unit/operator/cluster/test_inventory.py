"""The inventory proves equality and nothing more."""

from insight_operator.cluster.inventory import Inventory, fingerprint
from support.objects import ENGINE, live

DESIRED = {"kind": "ConfigMap", "metadata": {"name": "vanna-config"}, "data": {"a": "1"}}


def stored(inventory: Inventory) -> Inventory:
    return Inventory(inventory.manifest(ENGINE))


def test_an_empty_inventory_proves_nothing() -> None:
    assert not Inventory(None).proves(DESIRED, fingerprint(live()))


def test_what_was_recorded_is_proven_after_a_restart() -> None:
    inventory = Inventory(None)
    inventory.record(DESIRED, fingerprint(live(data={"a": "1"})))
    assert stored(inventory).proves(DESIRED, fingerprint(live(data={"a": "1"}, version=5)))
    assert not stored(inventory).changed


def test_a_changed_intent_is_not_proven() -> None:
    inventory = Inventory(None)
    inventory.record(DESIRED, fingerprint(live()))
    assert not inventory.proves({**DESIRED, "data": {"a": "2"}}, fingerprint(live()))


def test_a_changed_object_is_not_proven() -> None:
    inventory = Inventory(None)
    inventory.record(DESIRED, fingerprint(live(data={"a": "1"})))
    assert not inventory.proves(DESIRED, fingerprint(live(data={"a": "2"})))


def test_a_new_inventory_is_to_be_stored() -> None:
    assert Inventory(None).changed


def test_an_unreadable_inventory_proves_nothing_and_is_stored_again() -> None:
    broken = Inventory(live(data={"children": "not JSON"}))
    broken.record(DESIRED, fingerprint(live()))
    assert broken.changed


def test_what_is_no_longer_planned_is_forgotten() -> None:
    inventory = Inventory(None)
    inventory.record(DESIRED, fingerprint(live()))
    inventory.keep_only(set())
    assert not inventory.proves(DESIRED, fingerprint(live()))


def test_status_and_bookkeeping_do_not_count() -> None:
    one = live("Deployment", spec={"replicas": 1}, status={"readyReplicas": 0})
    two = live("Deployment", version=9, managed=[{"x": 1}], spec={"replicas": 1}, status={"readyReplicas": 1})
    assert fingerprint(one) == fingerprint(two)


def test_the_deployment_controllers_revision_does_not_count() -> None:
    plain = live("Deployment", annotations={"a": "1"})
    counted = live("Deployment", annotations={"a": "1", "deployment.kubernetes.io/revision": "3"})
    assert fingerprint(plain) == fingerprint(counted)


def test_labels_and_owners_count() -> None:
    assert fingerprint(live()) != fingerprint(live(labels={}))
    assert fingerprint(live()) != fingerprint(live(owner=None))
