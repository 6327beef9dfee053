"""Whatever happens to a child, deletion, edit or addition, is undone at once; what was asked for is not."""

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.cluster.controlplane import ControlPlane
from insight_operator import naming
from support import space as spaces
from support.kube_api import KubeApi, Manifest
from support.space import Space
from support.waiting import eventually

REPAIR_S = 2.0
SECRETS = ("state", "database", "database-admin", "broker", "broker-admin", "jwt", "admin")


@pytest.fixture(scope="module")
def ready(
    admin: KubeApi, control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Space]:
    """One Ready InsightEngine for all tests here: each puts right what it disturbs."""
    folder: Path = tmp_path_factory.mktemp("repair")
    space = spaces.prepare(admin, folder, control_plane.audit_log)
    space.operator.start()
    space.create_engine()
    space.wait_for("Ready")
    yield space
    space.operator.kill()


@pytest.fixture(autouse=True)
def at_rest(ready: Space) -> None:
    ready.wait_for("Ready")


def child(space: Space, kind: str, name: str) -> Manifest:
    found = space.kube.get(kind, name)
    assert found is not None, f"{kind}/{name} is absent"
    return found


def container(space: Space, kind: str, name: str) -> Manifest:
    found: Manifest = child(space, kind, name)["spec"]["template"]["spec"]["containers"][0]
    return found


def undone(what: str, check: Callable[[], bool]) -> None:
    eventually(f"{what} is undone", check, REPAIR_S, every_s=0.01)


def test_every_deleted_child_is_back_within_two_seconds(
    ready: Space, record_property: Callable[[str, object], None]
) -> None:
    times = []
    for kind, name in sorted(ready.children()):
        if kind in {"Secret", "PersistentVolumeClaim", "Job"}:
            continue
        before = child(ready, kind, name)["metadata"]["uid"]
        ready.kube.delete(kind, name)
        started = time.monotonic()

        def is_back(kind: str = kind, name: str = name, before: str = before) -> bool:
            found = ready.kube.get(kind, name)
            return found is not None and found["metadata"]["uid"] != before

        eventually(f"{kind}/{name} is back", is_back, REPAIR_S, every_s=0.005)
        times.append(time.monotonic() - started)
        ready.wait_for("Ready")
    p95 = statistics.quantiles(times, n=20)[-1]
    record_property("repair_p50_s", round(statistics.median(times), 3))
    record_property("repair_p95_s", round(p95, 3))
    print(f"repair of {len(times)} deleted children: p50 {statistics.median(times):.3f} s, p95 {p95:.3f} s")
    assert len(times) >= 10


@pytest.mark.parametrize("part", SECRETS)
def test_a_deleted_secret_is_back_with_the_same_values(ready: Space, part: str) -> None:
    before = child(ready, "Secret", f"vanna-{part}")["data"]
    ready.kube.delete("Secret", f"vanna-{part}")
    found = eventually("the Secret is back", lambda: ready.kube.get("Secret", f"vanna-{part}"), 10)
    assert found["data"] == before


@pytest.mark.parametrize("part", SECRETS)
def test_an_edited_secret_gets_its_values_back(ready: Space, part: str) -> None:
    before = child(ready, "Secret", f"vanna-{part}")["data"]
    entry = min(before)
    ready.kube.patch("Secret", f"vanna-{part}", {"data": {entry: "ZWRpdGVk"}})
    eventually("the value is back", lambda: child(ready, "Secret", f"vanna-{part}")["data"] == before, 10)


def test_an_edited_image_is_undone(ready: Space) -> None:
    before = container(ready, "Deployment", "vanna-api")["image"]
    change = {"containers": [{"name": "api", "image": "example.invalid/evil:1"}]}
    ready.kube.strategic("Deployment", "vanna-api", {"spec": {"template": {"spec": change}}})
    undone("the image", lambda: container(ready, "Deployment", "vanna-api")["image"] == before)


def test_an_added_container_goes(ready: Space) -> None:
    change = {"containers": [{"name": "spy", "image": "example.invalid/spy:1"}]}
    ready.kube.strategic("Deployment", "vanna-api", {"spec": {"template": {"spec": change}}})

    def alone() -> bool:
        pod = child(ready, "Deployment", "vanna-api")["spec"]["template"]["spec"]
        return [item["name"] for item in pod["containers"]] == ["api"]

    undone("the container", alone)


def test_an_added_capability_goes(ready: Space) -> None:
    context = {"capabilities": {"add": ["NET_BIND_SERVICE"]}}
    change = {"containers": [{"name": "worker", "securityContext": context}]}
    ready.kube.strategic("Deployment", "vanna-worker", {"spec": {"template": {"spec": change}}})

    def dropped() -> bool:
        found = container(ready, "Deployment", "vanna-worker")["securityContext"]["capabilities"]
        return bool(found == {"drop": ["ALL"]})

    undone("the capability", dropped)


def test_an_added_volume_goes(ready: Space) -> None:
    change = {"volumes": [{"name": "loot", "secret": {"secretName": "vanna-state"}}]}
    ready.kube.strategic("StatefulSet", "vanna-redis", {"spec": {"template": {"spec": change}}})

    def gone() -> bool:
        pod = child(ready, "StatefulSet", "vanna-redis")["spec"]["template"]["spec"]
        return "loot" not in {item["name"] for item in pod["volumes"]}

    undone("the volume", gone)


def test_an_added_port_of_a_service_goes(ready: Space) -> None:
    ready.kube.strategic("Service", "vanna-api", {"spec": {"ports": [{"name": "extra", "port": 1}]}})

    def gone() -> bool:
        ports = child(ready, "Service", "vanna-api")["spec"]["ports"]
        return "extra" not in {item.get("name") for item in ports}

    undone("the port", gone)


def test_scaling_a_deployment_by_hand_is_undone(ready: Space) -> None:
    before = child(ready, "Deployment", "vanna-api")["spec"]["replicas"]
    ready.kube.patch("Deployment", "vanna-api", {"spec": {"replicas": 7}})
    undone("the scale", lambda: child(ready, "Deployment", "vanna-api")["spec"]["replicas"] == before)


def test_a_removed_label_is_back(ready: Space) -> None:
    changes = {"metadata": {"labels": {naming.ENGINE_LABEL: None}}}
    ready.kube.patch("Service", "vanna-redis", changes)

    def labelled() -> bool:
        labels = child(ready, "Service", "vanna-redis")["metadata"]["labels"]
        return bool(labels.get(naming.ENGINE_LABEL) == "vanna")

    undone("the missing label", labelled)


def test_a_restart_asked_for_by_kubectl_is_let_live(ready: Space) -> None:
    annotation = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
    change = {"spec": {"template": {"metadata": {"annotations": annotation}}}}
    ready.kube.strategic("Deployment", "vanna-api", change, manager="kubectl-rollout")
    spied = {"containers": [{"name": "spy", "image": "example.invalid/spy:1"}]}
    ready.kube.strategic("Deployment", "vanna-api", {"spec": {"template": {"spec": spied}}})

    def alone() -> bool:
        pod = child(ready, "Deployment", "vanna-api")["spec"]["template"]["spec"]
        return len(pod["containers"]) == 1

    undone("the container", alone)
    template = child(ready, "Deployment", "vanna-api")["spec"]["template"]
    assert annotation.items() <= template["metadata"]["annotations"].items()


def test_a_finished_migration_that_was_cleared_away_is_not_run_again(ready: Space) -> None:
    job = ready.engine()["status"]["migration"]["job"]
    if ready.kube.get("Job", job) is not None:
        ready.kube.delete("Job", job)
    before = ready.operator.metric("insight_operator_reconcile_total")
    ready.kube.delete("Service", "vanna-redis")
    eventually("the Service is back", lambda: ready.kube.get("Service", "vanna-redis"), REPAIR_S)
    ready.wait_for("Ready")
    assert ready.operator.metric("insight_operator_reconcile_total") > before
    assert ready.kube.get("Job", job) is None


def test_an_orphan_is_pruned(ready: Space) -> None:
    engine = ready.engine()
    owner = {
        "apiVersion": naming.API_VERSION,
        "kind": naming.KIND,
        "name": "vanna",
        "uid": engine["metadata"]["uid"],
        "controller": True,
    }
    metadata = {"name": "vanna-old", "labels": {naming.ENGINE_LABEL: "vanna"}, "ownerReferences": [owner]}
    ready.kube.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    eventually("the orphan is gone", lambda: ready.kube.get("ConfigMap", "vanna-old") is None, REPAIR_S)
