"""A new operator with another default image restarts nothing of a released one; nor does the way back.

As `helm upgrade` and `helm rollback` do it: definition and operator of the release, then of this tree, then
of the release again, under 20 InsightEngines. Pods are played by kwok; the released operator runs from its
package in tests/golden/released.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.cluster.controlplane import ControlPlane
from insight_operator import naming
from insight_operator.crd.manifest import custom_resource_definition
from support import space as spaces
from support.bad_engines import engine
from support.kube_api import KubeApi, Manifest
from support.operator_process import OperatorProcess
from support.released import GIVEN, RELEASES, Release
from support.space import Space
from support.waiting import eventually

_DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/insightengines.insightengine.io"
_ALLOWED = "ghcr.io/insight-engine/insight-engine,localhost:5000/insight-engine"
_PATIENCE_S = 200
_FORGED = 7  # replicas that no operator would report
RUNNING = ("api", "worker", "postgres", "redis")
NEVER_MADE = "planned-and-suspended"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[ControlPlane]:
    """A cluster of its own: the definition of a release must not meet other tests."""
    with ControlPlane(tmp_path / "control-plane", controllers=True, kwok=True) as started:
        yield started


def install(kube: KubeApi, definition: Manifest) -> None:
    """Install a definition in place of another, as Helm does; return when the server judges by it."""
    path = f"{_DEFINITION}?fieldManager=helm&force=true"
    kube.request("PATCH", path, definition, "application/apply-patch+yaml")
    wanted = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"][
        "properties"
    ]

    def judged() -> bool:
        conditions = kube.request("GET", _DEFINITION).get("status", {}).get("conditions") or ()
        if not any(found["type"] == "Established" and found["status"] == "True" for found in conditions):
            return False
        tried = kube.request("POST", f"{kube.path(naming.KIND)}?dryRun=All", engine(name="probe"))
        return {name for name, part in wanted.items() if "default" in part} == set(tried["spec"])

    eventually("the server judges by the definition", judged, 60, every_s=0.2)


def operator(space: Space, log: str, image: str, **environment: str) -> OperatorProcess:
    """Return an operator that is not started yet."""
    return OperatorProcess(
        space.operator.log.with_name("operator.kubeconfig"),
        space.namespace,
        space.operator.log.with_name(log),
        INSIGHT_OPERATOR_ENGINE_IMAGE=f"localhost:5000/insight-engine:{image}",
        INSIGHT_OPERATOR_IMAGE_ALLOWLIST=_ALLOWED,
        **environment,
    )


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


def await_all(space: Space, what: str, check: Any, log: Path) -> None:
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
    kube.request("PATCH", f"{path}/status", {"status": {"replicas": _FORGED}}, "application/merge-patch+json")
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


@pytest.mark.timeout(900)
@pytest.mark.parametrize("release", RELEASES[-1:], ids=lambda release: release.version)
def test_an_upgrade_and_the_way_back_restart_nothing(
    cluster: ControlPlane, release: Release, tmp_path: Path
) -> None:
    admin = KubeApi(cluster.kubeconfig)
    stored = release.engines()
    install(admin, release.definition())
    space = spaces.prepare(admin, tmp_path, cluster.audit_log, source=False)
    business = {"metadata": {"name": "business"}, "value": 1000}
    admin.request("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", business)
    space.kube.create(GIVEN)
    old = operator(space, "old.log", "old", PYTHONPATH=str(release.operator))
    new = operator(space, "new.log", "new")
    back = operator(space, "back.log", "old", PYTHONPATH=str(release.operator))
    try:
        old.start()
        for resource in stored:
            spaces.add_volumes(admin, space.namespace, resource["metadata"]["name"])
            space.kube.create(resource)
        await_all(space, "the released operator rolled everything out", is_ready, old.log)
        old.kill()
        templates, running, done = workloads(space), pods(space), jobs(space)
        assert len(templates) >= 2 * len(stored) - 2
        before = [space.engine(resource["metadata"]["name"]) for resource in stored]

        install(space.kube, custom_resource_definition())
        for resource in before:
            keeps(space.kube, resource)
        new.start()
        await_all(space, "the new image waits", waits, new.log)
        assert (workloads(space), pods(space)) == (templates, running)
        assert jobs(space) <= done
        await_all(space, "nothing else is amiss", is_ready, new.log)
        new.kill()

        install(space.kube, release.definition())
        back.start()
        await_all(space, "the released operator is back", is_back, back.log)
        assert (workloads(space), pods(space)) == (templates, running)
        assert jobs(space) <= done
        for process in (old, new, back):
            assert "Traceback" not in process.log.read_text(), process.log
    finally:
        for process in (old, new, back):
            process.kill()


def waits(resource: Manifest) -> bool:
    """Tell whether the new operator has judged it, and made the new default image wait where it applies."""
    own = {"tag", "digest"} & resource["spec"]["image"].keys()
    return resource["status"]["replicas"] != _FORGED and bool(
        resource["status"].get("pendingRestart")
    ) != bool(own)


def is_back(resource: Manifest) -> bool:
    """Tell whether an operator that knows of no waiting restarts has judged it, and found it to be fine."""
    return (
        is_ready(resource)
        and "pendingRestart" not in resource["status"]
        and resource["status"]["replicas"] != _FORGED
    )
