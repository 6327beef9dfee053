"""The store wakes exactly those for whom an event is news, and never goes back in time."""

import json

from insight_operator.cluster.client import Listing
from insight_operator.cluster.store import Store
from support.objects import ENGINE, OTHER, engine, live

KEY = ("insight", "vanna")


def test_a_new_child_wakes_its_owner() -> None:
    assert Store().note("ADDED", live()) == {KEY}


def test_a_pod_wakes_the_engine_its_label_names() -> None:
    assert Store().note("ADDED", live("Pod", "vanna-api-1", owner=None)) == {KEY}


def test_a_stranger_wakes_nobody() -> None:
    assert Store().note("ADDED", live(owner=None, labels={})) == set()


def test_the_echo_of_a_write_wakes_nobody() -> None:
    store = Store()
    store.put(live(version=7, data={"a": "1"}))
    assert store.note("MODIFIED", live(version=7, data={"a": "1"})) == set()


def test_an_older_event_changes_nothing() -> None:
    store = Store()
    store.put(live(version=7, data={"a": "new"}))
    assert store.note("MODIFIED", live(version=6, data={"a": "old"})) == set()
    assert (store.get("ConfigMap", "insight", "vanna-config") or {})["data"] == {"a": "new"}


def test_a_new_version_of_the_same_content_wakes_nobody() -> None:
    store = Store()
    store.put(live(version=1))
    assert store.note("MODIFIED", live(version=2)) == set()


def test_a_changed_status_is_news() -> None:
    store = Store()
    store.put(live("Deployment", status={"readyReplicas": 0}))
    assert store.note("MODIFIED", live("Deployment", version=2, status={"readyReplicas": 1})) == {KEY}


def test_a_deletion_wakes_the_owner_and_forgets_the_child() -> None:
    store = Store()
    store.put(live())
    assert store.note("DELETED", live(version=2)) == {KEY}
    assert store.get("ConfigMap", "insight", "vanna-config") is None
    assert list(store.owned(KEY)) == []


def test_an_answer_that_comes_after_the_deletion_brings_nothing_back() -> None:
    store = Store()
    store.put(live(version=1))
    store.note("DELETED", live(version=3))
    assert not store.put(live(version=2))
    assert store.get("ConfigMap", "insight", "vanna-config") is None
    assert store.note("ADDED", live(version=4, uid="another")) == {KEY}


def test_what_lost_its_label_is_told_of_as_deleted_and_comes_back() -> None:
    store = Store()
    store.put(live(version=1))
    store.note("DELETED", live(version=2, labels={}))
    assert store.put(live(version=3))
    assert store.get("ConfigMap", "insight", "vanna-config") is not None


def test_the_late_deletion_of_a_predecessor_spares_its_successor() -> None:
    store = Store()
    store.put(live(uid="new", version=9))
    assert store.note("DELETED", live(uid="old", version=8)) == set()
    assert store.get("ConfigMap", "insight", "vanna-config") is not None


def test_a_list_finds_what_a_watch_lost() -> None:
    store = Store()
    store.put(live(version=3))
    assert store.replace("ConfigMap", "insight", Listing((), 10)) == {KEY}


def test_a_list_older_than_an_object_does_not_delete_it() -> None:
    store = Store()
    store.put(live(version=11))
    assert store.replace("ConfigMap", "insight", Listing((), 10)) == set()
    assert store.get("ConfigMap", "insight", "vanna-config") is not None


def test_a_list_of_one_kind_leaves_the_others() -> None:
    store = Store()
    store.put(live("Service", "vanna-api"))
    store.replace("ConfigMap", "insight", Listing((), 10))
    assert store.get("Service", "insight", "vanna-api") is not None


def test_engines_are_listed_by_key() -> None:
    store = Store()
    store.put(engine())
    assert store.engines() == [KEY]


def test_an_owner_that_changed_wakes_both() -> None:
    store = Store()
    store.put(live(owner=None, labels={"insightengine.io/engine": "vanna"}))
    moved = live(owner=None, labels={"insightengine.io/engine": "other"}, version=2)
    assert store.note("MODIFIED", moved) == {KEY, ("insight", "other")}
    assert list(store.owned(KEY)) == []


def test_who_manages_a_field_is_not_kept() -> None:
    store = Store()
    entry = {"manager": "insight-operator", "operation": "Apply", "fieldsV1": {"f:data": {}}}
    store.put(live(managed=[entry]))
    assert (store.get("ConfigMap", "insight", "vanna-config") or {})["metadata"]["managedFields"] == []


def test_that_fields_are_shared_is_known_by_the_absence_of_managers() -> None:
    store = Store()
    entry = {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {"f:ports": {}}}}
    store.put(live("Service", "vanna-api", managed=[entry]))
    found = store.get("Service", "insight", "vanna-api") or {}
    assert "managedFields" not in found["metadata"]


def test_leftovers_of_an_earlier_engine_have_the_same_key() -> None:
    assert OTHER.uid != ENGINE.uid
    assert Store().note("DELETED", live(owner=OTHER)) == set()
    store = Store()
    store.put(live(owner=OTHER))
    assert store.note("DELETED", live(owner=OTHER, version=2)) == {KEY}


def test_of_a_pod_only_what_is_read_of_pods_is_kept() -> None:
    pod = live("Pod", "vanna-api-1", spec={"nodeName": "n", "containers": [{"name": "api"}]})
    running = {"name": "api", "ready": True, "imageID": "sha256:1"}
    pod["status"] = {"phase": "Running", "podIP": "10.0.0.1", "containerStatuses": [running]}
    store = Store()
    store.put(pod)
    kept = store.get("Pod", "insight", "vanna-api-1") or {}
    assert kept["spec"] == {"nodeName": "n"}
    assert kept["status"] == {"phase": "Running", "containerStatuses": [{"name": "api", "ready": True}]}


def test_equal_strings_are_kept_once() -> None:
    store = Store()
    for name in ("a", "b"):
        store.put(json.loads(json.dumps(live(name=name, data={"some.field": "some value"}))))
    first, second = ((store.get("ConfigMap", "insight", name) or {})["data"] for name in ("a", "b"))
    assert next(iter(first)) is next(iter(second))
    assert first["some.field"] is second["some.field"]
