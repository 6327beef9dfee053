"""What is not the operator's is never touched, whatever its name, until its owner hands it over."""

import base64

import pytest

from insight_operator import naming
from support.kube_api import Manifest
from support.space import Space
from support.waiting import eventually

POD = {"containers": [{"name": "x", "image": "example.invalid/x:1"}]}
TEMPLATE = {"metadata": {"labels": {"app": "vanna-api"}}, "spec": POD}
FOREIGN: dict[str, Manifest] = {
    "Service": {"spec": {"ports": [{"port": 1}]}},
    "ServiceAccount": {},
    "Deployment": {"spec": {"selector": {"matchLabels": {"app": "vanna-api"}}, "template": TEMPLATE}},
    "PodDisruptionBudget": {"spec": {"selector": {"matchLabels": {"x": "y"}}, "maxUnavailable": 1}},
}


def foreign(kind: str, **metadata: object) -> Manifest:
    api = {"Deployment": "apps/v1", "PodDisruptionBudget": "policy/v1"}.get(kind, "v1")
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "vanna-api", **metadata}, **FOREIGN[kind]}


def intent(found: Manifest) -> object:
    metadata = found["metadata"]
    return metadata["uid"], metadata.get("labels"), metadata.get("ownerReferences"), found.get("spec")


@pytest.mark.parametrize("kind", sorted(FOREIGN))
def test_a_foreign_object_is_left_untouched_and_named(space: Space, kind: str) -> None:
    before = space.kube.create(foreign(kind))
    space.operator.start()
    space.create_engine()
    stalled = space.wait_for("Stalled", reason="Conflict")
    assert f"{kind}/vanna-api" in stalled["message"]
    assert naming.ADOPT in stalled["message"]
    assert intent(space.kube.get(kind, "vanna-api") or {}) == intent(before)


FOREIGN_LOGIN = {"host": "db", "port": "5432", "dbname": "x", "username": "them", "password": "theirs-alone"}


def test_a_foreign_secret_is_left_untouched_and_its_values_unused(space: Space) -> None:
    data = {entry: base64.b64encode(value.encode()).decode() for entry, value in FOREIGN_LOGIN.items()}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "vanna-database"}, "data": data}
    space.kube.create(secret)
    space.operator.start()
    space.create_engine()
    stalled = space.wait_for("Stalled", reason="Conflict")
    assert "Secret/vanna-database" in stalled["message"]
    assert (space.kube.get("Secret", "vanna-database") or {})["data"] == data
    state = (space.kube.get("Secret", "vanna-state") or {})["data"]["state.json"]
    assert "theirs-alone" not in base64.b64decode(state).decode()


def test_a_foreign_object_with_our_labels_is_still_foreign(space: Space) -> None:
    before = space.kube.create(foreign("Service", labels={naming.ENGINE_LABEL: "vanna"}))
    space.operator.start()
    space.create_engine()
    space.wait_for("Stalled", reason="Conflict")
    assert intent(space.kube.get("Service", "vanna-api") or {}) == intent(before)


def test_what_is_handed_over_is_taken_up(space: Space) -> None:
    before = space.kube.create(foreign("Deployment"))
    space.operator.start()
    space.create_engine()
    space.wait_for("Stalled", reason="Conflict")
    handed_over = {"metadata": {"annotations": {naming.ADOPT: "vanna"}}}
    space.kube.patch("Deployment", "vanna-api", handed_over)
    space.wait_for("Ready")
    after = space.kube.get("Deployment", "vanna-api") or {}
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert [item["name"] for item in after["spec"]["template"]["spec"]["containers"]] == ["api"]


def test_it_goes_on_by_itself_when_the_obstacle_is_gone(space: Space) -> None:
    space.kube.create(foreign("ServiceAccount"))
    space.operator.start()
    space.create_engine()
    space.wait_for("Stalled", reason="Conflict")
    space.kube.delete("ServiceAccount", "vanna-api")
    space.wait_for("Ready", within_s=40)


def test_a_quota_is_named(space: Space) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small"},
        "spec": {"hard": {"count/deployments.apps": "0"}},
    }
    space.kube.create(quota)

    def counted() -> bool:
        found = space.kube.get("ResourceQuota", "small") or {}
        return bool(found.get("status", {}).get("hard"))

    eventually("the quota is in force", counted, 20)
    space.operator.start()
    space.create_engine()
    stalled = space.wait_for("Stalled", reason="QuotaExceeded")
    assert "quota" in stalled["message"]


def test_a_right_that_the_operator_lacks_is_named_and_waited_for(space: Space) -> None:
    role = space.kube.get("Role", "insight-operator") or {}
    lacking = [rule for rule in role["rules"] if rule["resources"] != ["serviceaccounts"]]
    reading = {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["get", "list", "watch"]}
    space.kube.patch("Role", "insight-operator", {"rules": [*lacking, reading]})
    space.operator.start()
    space.create_engine()
    stalled = space.wait_for("Stalled", reason="Forbidden")
    assert "ServiceAccount/vanna-" in stalled["message"]
    assert "serviceaccounts" in stalled["message"]
    space.kube.patch("Role", "insight-operator", {"rules": role["rules"]})
    space.wait_for("Ready", within_s=40)
