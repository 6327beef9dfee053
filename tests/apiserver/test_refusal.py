"""What is wrong is refused by the field's name: by the API server where it can tell, else in the status."""

from collections.abc import Iterator

import pytest

from insight_operator import naming
from support.bad_engines import BAD, GOOD, BadEngine, Judge, engine
from support.kube_api import KubeApi, Manifest, Refusal
from support.space import NAME, Space, source_secret
from support.waiting import eventually

SEEN_BY_SERVER = [bad for bad in BAD if bad.judge in {Judge.BOTH, Judge.SERVER}]


@pytest.fixture(scope="module")
def drawer(admin: KubeApi) -> KubeApi:
    """A namespace where InsightEngines are only tried."""
    admin.request("POST", "/api/v1/namespaces", {"metadata": {"name": "drawer"}})
    return admin.within("drawer")


def names_field(message: str, field: str) -> bool:
    """Tell whether a refusal names the field, list items by whatever position the server gives them."""
    return field in message or field.replace("[0]", "") in message.replace("[0]", "")


def submit(drawer: KubeApi, bad: BadEngine) -> None:
    """Create the resource, or make the change that the entry is about."""
    resource = bad.resource()
    if bad.before is None:
        drawer.create(resource)
        return
    name = resource["metadata"]["name"]
    earlier = drawer.create(engine(bad.before, name=name))
    resource["metadata"]["resourceVersion"] = earlier["metadata"]["resourceVersion"]
    drawer.request("PUT", f"{drawer.path(naming.KIND, name)}?fieldValidation=Strict", resource)


@pytest.fixture
def emptied(drawer: KubeApi) -> Iterator[KubeApi]:
    yield drawer
    for item in drawer.list(naming.KIND):
        drawer.delete(naming.KIND, item["metadata"]["name"])


@pytest.mark.parametrize("bad", SEEN_BY_SERVER, ids=lambda bad: bad.name)
def test_the_server_refuses_a_bad_spec_by_the_fields_name(emptied: KubeApi, bad: BadEngine) -> None:
    with pytest.raises(Refusal) as refused:
        submit(emptied, bad)
    assert names_field(refused.value.message, bad.field), refused.value.message


@pytest.mark.parametrize("resource", GOOD.values(), ids=GOOD.keys())
def test_the_server_takes_a_good_spec(emptied: KubeApi, resource: Manifest) -> None:
    assert emptied.create(resource)["metadata"]["uid"]


def test_a_missing_secret_is_named_with_field_and_cure(unprepared: Space) -> None:
    unprepared.operator.start()
    unprepared.create_engine()
    stalled = unprepared.wait_for("Stalled", reason="InvalidReference")
    assert "spec.dataSources" in stalled["message"]
    assert "sales-readonly" in stalled["message"]


def test_an_unlabelled_secret_is_named_with_the_label(unprepared: Space) -> None:
    unprepared.kube.create(source_secret(labels={}))
    unprepared.operator.start()
    unprepared.create_engine()
    stalled = unprepared.wait_for("Stalled", reason="InvalidReference")
    assert naming.USE_LABEL in stalled["message"]


def test_it_goes_on_by_itself_when_the_secret_appears(unprepared: Space) -> None:
    unprepared.operator.start()
    unprepared.create_engine()
    unprepared.wait_for("Stalled", reason="InvalidReference")
    unprepared.kube.create(source_secret())
    unprepared.wait_for("Ready")


def test_a_refused_change_leaves_what_runs(ready: Space) -> None:
    before = {key: item["metadata"]["uid"] for key, item in ready.children().items()}
    bad = {"name": "more", "dialect": "postgres", "secretRef": {"name": "absent"}, "roles": ["analyst"]}
    sources = [*ready.engine()["spec"]["dataSources"], {**bad, "schemas": ["public"]}]
    ready.kube.patch(naming.KIND, NAME, {"spec": {"dataSources": sources}})
    ready.wait_for("Stalled", reason="InvalidReference")
    assert {key: item["metadata"]["uid"] for key, item in ready.children().items()} == before
    assert ready.condition("Available")["status"] == "True"


def test_no_secret_value_is_ever_logged(ready: Space) -> None:
    ready.kube.delete("Secret", "vanna-jwt")
    eventually("the Secret is back", lambda: ready.kube.get("Secret", "vanna-jwt"), 10)
    log = ready.operator.log.read_text()
    values = {value for data in ready.passwords().values() for value in data.values() if len(value) > 16}
    assert not [value for value in values if value in log]


def test_suspend_stops_the_writing_and_keeps_the_status_true(ready: Space) -> None:
    ready.kube.patch(naming.KIND, NAME, {"spec": {"suspend": True}})
    ready.wait_for("Suspended")
    ready.kube.delete("Deployment", "vanna-api")
    eventually("the status tells", lambda: ready.condition("APIAvailable")["status"] == "False", 20)
    assert ready.kube.get("Deployment", "vanna-api") is None
    ready.kube.patch(naming.KIND, NAME, {"spec": {"suspend": False}})
    ready.wait_for("Ready")
    assert ready.kube.get("Deployment", "vanna-api") is not None


def test_a_spec_change_reaches_the_children(ready: Space) -> None:
    ready.kube.patch(naming.KIND, NAME, {"spec": {"workers": {"replicas": 5}}})
    ready.wait_for("Ready")
    worker = ready.kube.get("Deployment", "vanna-worker") or {}
    assert worker["spec"]["replicas"] == 5
    assert ready.engine()["status"]["observedGeneration"] == 2
