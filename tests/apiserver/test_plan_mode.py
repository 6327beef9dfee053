"""`spec.mode: Plan` shows what would change, and which pods would restart, and changes nothing."""

from typing import Any

from insight_operator import naming
from support import audit
from support.kube_api import Manifest
from support.space import NAME, Space
from support.waiting import eventually


def change(space: Space, **spec: Any) -> None:
    space.kube.patch(naming.KIND, NAME, {"spec": spec})


def plan(space: Space) -> dict[str, Manifest]:
    """Return the changes that wait, once the present generation has been looked at."""
    space.wait_for("Ready", "False", "Planned")
    return {item["object"]: item for item in space.engine()["status"]["plan"]["changes"]}


def writes_to_children(space: Space, since: int) -> list[audit.Request]:
    return [write for write in space.writes(since) if write.resource not in {"insightengines", "events"}]


def test_a_new_engine_is_only_shown_until_it_is_applied(space: Space) -> None:
    space.operator.start()
    space.create_engine(mode="Plan")
    waiting = plan(space)
    assert waiting["Deployment/vanna-api"]["action"] == "create"
    assert {item["action"] for item in waiting.values()} == {"create"}
    assert space.children() == {}
    change(space, mode="Apply")
    space.wait_for("Ready")
    assert "plan" not in space.engine()["status"]
    assert space.kube.get("Deployment", "vanna-api") is not None


def test_a_change_is_shown_with_its_fields_and_the_pods_it_restarts(ready: Space) -> None:
    since = audit.position(ready.audit_log)
    change(ready, mode="Plan", api={"logLevel": "DEBUG"}, workers={"replicas": 3})
    waiting = plan(ready)
    assert waiting["Deployment/vanna-api"]["restartsPods"] is True
    assert any("env" in field for field in waiting["Deployment/vanna-api"]["fields"])
    assert waiting["Deployment/vanna-worker"] == {
        "object": "Deployment/vanna-worker",
        "action": "change",
        "fields": ["spec.replicas"],
        "restartsPods": False,
    }
    assert set(waiting) == {"Deployment/vanna-api", "Deployment/vanna-worker"}
    assert "vanna-api" in ready.condition("Ready")["message"]
    assert ready.condition("Available")["status"] == "True"
    assert writes_to_children(ready, since) == []
    change(ready, mode="Apply")
    ready.wait_for("Ready")
    assert (ready.kube.get("Deployment", "vanna-worker") or {})["spec"]["replicas"] == 3


def test_a_plan_without_changes_is_ready(ready: Space) -> None:
    change(ready, mode="Plan")
    ready.wait_for("Ready")
    assert ready.engine()["status"]["plan"] == {"changes": []}


def test_what_somebody_else_changes_is_shown_and_left(ready: Space) -> None:
    change(ready, mode="Plan")
    ready.wait_for("Ready")
    ready.kube.patch("Deployment", "vanna-worker", {"spec": {"replicas": 7}})
    assert plan(ready)["Deployment/vanna-worker"]["fields"] == ["spec.replicas"]
    assert (ready.kube.get("Deployment", "vanna-worker") or {})["spec"]["replicas"] == 7
    change(ready, mode="Apply")
    eventually(
        "it is put right",
        lambda: (ready.kube.get("Deployment", "vanna-worker") or {})["spec"]["replicas"] == 2,
        20,
    )


def test_a_change_of_the_database_says_that_its_pod_restarts(ready: Space) -> None:
    change(ready, mode="Plan", database={"managed": {"resources": {"limits": {"memory": "3Gi"}}}})
    assert plan(ready)["StatefulSet/vanna-postgres"]["restartsPods"] is True
