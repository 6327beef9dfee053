"""A new operator with another default image restarts nothing of a released one; nor does the way back.

By the real helm, under 20 InsightEngines: `helm install` of the released chart, `helm upgrade` to this
tree's, `helm rollback`, and `helm uninstall` with a new installation over what it keeps. Pods are played by
kwok; each operator runs with the rights and the settings that its own chart gave it, the released one from
its package in tests/golden/released.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dev.cluster import gotools
from dev.cluster.controlplane import ControlPlane
from dev.install import CHART, RELEASE
from insight_operator import naming
from insight_operator.crd.manifest import custom_resource_definition
from support import audit
from support import space as spaces
from support.bad_engines import engine
from support.helm_release import HelmRelease
from support.kube_api import KubeApi, Manifest, Refusal
from support.operator_process import OperatorProcess
from support.released import GIVEN, RELEASES, Release
from support.space import Space
from support.waiting import eventually

_DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/insightengines.insightengine.io"
_ACCOUNT = "system:serviceaccount:insight-system:insight-operator"
_ENGINE = "localhost:5000/insight-engine"
_ALLOWED = ["ghcr.io/insight-engine/insight-engine"]
_PATIENCE_S = 200
_FORGED = 7  # replicas that no operator would report
RUNNING = ("api", "worker", "postgres", "redis")
NEVER_MADE = "planned-and-suspended"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[ControlPlane]:
    """A cluster of its own: the definition of a release must not meet other tests."""
    with ControlPlane(tmp_path / "control-plane", controllers=True, kwok=True) as started:
        yield started


@pytest.fixture
def helm(cluster: ControlPlane, tmp_path: Path) -> Iterator[HelmRelease]:
    """A namespace for the operator, in which nothing is installed yet."""
    admin = KubeApi(cluster.kubeconfig)
    admin.request("POST", "/api/v1/namespaces", {"metadata": {"name": "insight-system"}})
    release = HelmRelease(gotools.ensure(("helm",))["helm"], admin.within("insight-system"), tmp_path)
    yield release
    release.end()


@pytest.fixture
def watched(cluster: ControlPlane, tmp_path: Path) -> Space:
    """The namespace of the InsightEngines, with what they refer to."""
    admin = KubeApi(cluster.kubeconfig)
    kube = spaces.make_namespace(admin, "team-a", source=False)
    business = {"metadata": {"name": "business"}, "value": 1000}
    admin.request("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", business)
    kube.create(GIVEN)
    unused = OperatorProcess(cluster.kubeconfig, kube.namespace, tmp_path / "unused.log")
    return Space(kube, unused, cluster.audit_log)


def await_definition(kube: KubeApi, definition: Manifest) -> None:
    """Assert that helm installed this definition; return when the server judges by it."""
    found = kube.request("GET", _DEFINITION)
    assert contains(found["spec"]["versions"], definition["spec"]["versions"])
    (version,) = definition["spec"]["versions"]
    wanted = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]

    def served() -> bool:
        try:
            tried = kube.request("POST", f"{kube.path(naming.KIND)}?dryRun=All", engine(name="probe"))
            kube.list(naming.KIND)
        except Refusal as refusal:
            if refusal.status == 429:
                return False  # the server opens its storage anew for another definition
            raise
        return {name for name, part in wanted.items() if "default" in part} == set(tried["spec"])

    eventually("the server judges by the definition", served, 60, every_s=0.2)


def workloads(space: Space) -> dict[tuple[str, str], Any]:
    """Return the pod template of every workload that runs on, by kind and name."""
    found = [item for kind in ("Deployment", "StatefulSet") for item in space.kube.list(kind)]
    return {(item["kind"], item["metadata"]["name"]): item["spec"]["template"] for item in found}


def pods(space: Space) -> set[str]:
    """Return the uids of the pods that run on."""
    return {
        pod["metadata"]["uid"]
        for pod in space.kube.list("Pod")
        if pod["metadata"]["labels"].get(naming.COMPONENT_LABEL) in RUNNING
    }


def jobs(space: Space) -> set[str]:
    """Return the names of the migrate Jobs."""
    return {job["metadata"]["name"] for job in space.kube.list("Job")}


def engines(space: Space) -> dict[str, Manifest]:
    """Return every InsightEngine that is rolled out, by name."""
    found = {item["metadata"]["name"]: item for item in space.kube.list(naming.KIND)}
    del found[NEVER_MADE]
    return found


def is_ready(resource: Manifest) -> bool:
    """Tell whether a generation is rolled out and serves."""
    status = resource.get("status", {})
    conditions = {item["type"]: item["status"] for item in status.get("conditions", ())}
    return (
        status.get("observedGeneration") == resource["metadata"]["generation"]
        and conditions.get("Ready") == "True"
    )


def await_all(space: Space, what: str, check: Callable[[Manifest], bool], log: Path) -> None:
    """Wait until something holds of every InsightEngine."""

    def late() -> list[str]:
        return [name for name, resource in engines(space).items() if not check(resource)]

    try:
        eventually(what, lambda: not late(), _PATIENCE_S, every_s=0.5)
    except AssertionError as error:
        first = engines(space)[late()[0]].get("status") if late() else None
        raise AssertionError(f"{error}: not so of {late()}\n{first}\n{log.read_text()[-3000:]}") from None


def keeps(kube: KubeApi, before: Manifest) -> None:
    """Assert that a stored InsightEngine can be read, told about, labelled, written and made again."""
    name = before["metadata"]["name"]
    path = kube.path(naming.KIND, name)
    now = kube.request("GET", path)
    assert contains(now["spec"], before["spec"]), name
    labelled = kube.patch(naming.KIND, name, {"metadata": {"labels": {"example.com/kept": "yes"}}})
    labelled["metadata"]["annotations"] = {"example.com/written": "yes"}
    kube.request("PUT", f"{path}?fieldValidation=Strict", labelled)
    anew = {key: before[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": {"name": f"{name}-2"}}
    kube.request("POST", f"{kube.path(naming.KIND)}?dryRun=All&fieldValidation=Strict", anew)


def contains(now: Any, before: Any) -> bool:
    """Tell whether a value still says all that it said; it may say more, by new defaults."""
    if isinstance(before, dict):
        return isinstance(now, dict) and all(
            key in now and contains(now[key], item) for key, item in before.items()
        )
    if isinstance(before, list):
        return isinstance(now, list) and len(now) == len(before) and all(map(contains, now, before))
    return bool(now == before)


def settings(image: str) -> dict[str, Any]:
    """Return the chart's values of both versions, with a default engine image."""
    return {
        "images.engine": {"repository": _ENGINE, "tag": image},
        "images.allowlist": _ALLOWED,
        "watchNamespaces": ["team-a"],
        "resyncSeconds": 5,
    }


def create(space: Space, stored: list[Manifest]) -> None:
    """Create InsightEngines, and the volumes that the simulated cluster makes for nobody."""
    admin = space.kube.within("default")
    for resource in stored:
        spaces.add_volumes(admin, space.namespace, resource["metadata"]["name"])
        space.kube.create(resource)


def forge(space: Space) -> None:
    """Write a status that no operator would: one that judges an InsightEngine from now on puts it right."""
    for name in engines(space):
        path = f"{space.kube.path(naming.KIND, name)}/status"
        forged = {"status": {"replicas": _FORGED}}
        space.kube.request("PATCH", path, forged, "application/merge-patch+json")


def judged(
    helm: HelmRelease, space: Space, log: str, check: Callable[[Manifest], bool], **environment: str
) -> OperatorProcess:
    """Start the operator that helm installed and wait until something holds of every InsightEngine.

    Its chart has to give it the rights it needs: the API server must refuse it nothing.
    """
    since = audit.position(space.audit_log)
    process = helm.operator(log, **environment)
    await_all(space, f"the operator {log} is done", check, process.log)
    asked = [item for item in audit.requests(space.audit_log, since=since) if item.user == _ACCOUNT]
    assert asked
    assert [item for item in asked if item.code == 403] == []
    return process


@dataclass(frozen=True)
class Rollout:
    """What runs: the pod template of each workload, the pods, and the migrate Jobs."""

    templates: dict[tuple[str, str], Any]
    pods: set[str]
    jobs: set[str]

    @classmethod
    def of(cls, space: Space) -> "Rollout":
        """Read it."""
        return cls(workloads(space), pods(space), jobs(space))

    def assert_untouched(self, space: Space) -> None:
        """Assert that all of it is as it was, and that no Job is new; finished ones may be cleared away."""
        now = Rollout.of(space)
        assert now.templates == self.templates
        assert now.pods == self.pods
        assert now.jobs <= self.jobs


@pytest.mark.timeout(900)
@pytest.mark.parametrize("release", RELEASES[-1:], ids=lambda release: release.version)
def test_an_upgrade_and_the_way_back_restart_nothing(
    helm: HelmRelease, watched: Space, release: Release
) -> None:
    helm.run("install", str(release.chart), **settings("old"))
    await_definition(watched.kube, release.definition())
    create(watched, release.engines())
    old = judged(helm, watched, "old", is_ready, PYTHONPATH=str(release.operator))
    rollout, before = Rollout.of(watched), list(engines(watched).values())
    assert len(rollout.templates) >= 2 * len(before)

    # As in a real cluster, the earlier operator still runs while helm brings another definition and roles.
    helm.run("upgrade", str(CHART), "--reset-then-reuse-values", **{"images.engine.tag": "new"})
    old.kill()
    await_definition(watched.kube, custom_resource_definition())
    for resource in before:
        keeps(watched.kube, resource)
    forge(watched)
    new = judged(helm, watched, "new", waits)
    rollout.assert_untouched(watched)

    helm.run("rollback", "1")
    new.kill()
    await_definition(watched.kube, release.definition())
    forge(watched)
    back = judged(helm, watched, "back", is_back, PYTHONPATH=str(release.operator))
    rollout.assert_untouched(watched)

    back.kill()
    helm.run("uninstall")
    assert helm.kube.get("Deployment", RELEASE) is None
    helm.run("install", str(CHART), **settings("new"))
    await_definition(watched.kube, custom_resource_definition())
    forge(watched)
    again = judged(helm, watched, "again", waits)
    rollout.assert_untouched(watched)
    for process in (old, new, back, again):
        assert "Traceback" not in process.log.read_text(), process.log


def waits(resource: Manifest) -> bool:
    """Tell whether the new operator has judged it, and made the new default image wait where it applies."""
    own = {"tag", "digest"} & resource["spec"]["image"].keys()
    return (
        is_ready(resource)
        and resource["status"].get("replicas") != _FORGED
        and bool(resource["status"].get("pendingRestart")) != bool(own)
    )


def is_back(resource: Manifest) -> bool:
    """Tell whether an operator that knows of no waiting restarts has judged it, and found it to be fine."""
    return (
        is_ready(resource)
        and "pendingRestart" not in resource["status"]
        and resource["status"].get("replicas") != _FORGED
    )
