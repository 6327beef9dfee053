"""Every reason that a real API server can be made to give, each with the sentence that names its cure.

One operator and one namespace: what is in the way of an InsightEngine is in the way of that one alone. Where
a kubelet is missing, the test writes what it would have written.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from dev.cluster.controlplane import ControlPlane
from insight_operator import naming
from insight_operator.status.conditions import REASONS
from support import barriers
from support import space as spaces
from support.kube_api import KubeApi, Manifest
from support.space import Space
from support.waiting import eventually
from support.watcher import Watcher

EXTERNAL = {"external": {"secretRef": {"name": "elsewhere"}}}
AWAY = {"database": EXTERNAL, "broker": EXTERNAL}
NOWHERE = {"scheduling": {"nodeSelector": {"no": "node"}}}
SMALL = {"api": {"replicas": 2}, "workers": {"replicas": 2}}
LONG_AGO = "2026-01-01T00:00:00Z"


def source(secret: str) -> Manifest:
    named = {"name": "sales", "dialect": "postgres", "secretRef": {"name": secret}}
    return {"dataSources": [{**named, "schemas": ["public"], "roles": ["analyst"]}]}


@dataclass(frozen=True)
class Case:
    """An InsightEngine with something in its way, and what its status must say."""

    spec: Manifest
    condition: str
    reason: str
    words: tuple[str, ...]


CASES = {
    "secretless": Case(source("absent"), "Stalled", "InvalidReference", ("spec.dataSources[0]", "absent")),
    "unlabelled": Case(source("closed"), "Stalled", "InvalidReference", ("closed", naming.USE_LABEL)),
    "keyless": Case(source("empty"), "Stalled", "InvalidReference", ("empty", "lacks", "password")),
    "strange": Case(
        {"image": {"repository": "example.invalid/x", "tag": "1"}},
        "Stalled",
        "InvalidSpec",
        ("spec.image.repository",),
    ),
    "clash": Case(AWAY, "Stalled", "Conflict", ("Service/clash-api", naming.ADOPT)),
    "barred": Case(AWAY, "Stalled", "Forbidden", ("Service/barred-api", "house rules", "policy")),
    "podless": Case(AWAY, "Stalled", "Forbidden", ("worker", "podless-worker", "house rules", "policy")),
    "large": Case(
        AWAY | {"api": {"resources": {"limits": {"memory": "3Gi"}}}},
        "Stalled",
        "Forbidden",
        ("api", "large-api", "LimitRange", "spec.api.resources"),
    ),
    "starving": Case(
        {"scheduling": {"priorityClassName": barriers.STARVED}},
        "Stalled",
        "QuotaExceeded",
        ("database", "starving-postgres", "ResourceQuota", "spec.database.managed.resources"),
    ),
    "jobless": Case(
        AWAY | {"scheduling": {"priorityClassName": barriers.STARVED}},
        "Stalled",
        "QuotaExceeded",
        ("migrate", "Job jobless-migrate-", "ResourceQuota"),
    ),
    "voluminous": Case(
        {"database": {"managed": {"storage": {"storageClassName": "unknown"}}}},
        "Ready",
        "DatabaseUnreachable",
        ("database", "voluminous-postgres-0", "volume", "unknown", "spec.database.managed.storage"),
    ),
    "nodeless": Case(
        AWAY | NOWHERE, "Ready", "Migrating", ("nodeless-migrate-", "scheduled", "spec.scheduling")
    ),
    "older": Case(AWAY | NOWHERE, "Stalled", "UnsupportedVersion", ("migrate", "newer release")),
    "failing": Case(AWAY | NOWHERE, "Stalled", "MigrationFailed", ("migrate", "lacks a right")),
}
LAST_WORDS = {
    "older": {"outcome": "failed", "code": "schema_newer", "message": "The schema is of a newer release"},
    "failing": {"outcome": "failed", "code": "database_rights", "message": "The login lacks a right"},
}


@pytest.fixture(scope="module")
def space(
    admin: KubeApi, control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Space]:
    """A namespace with everything in the way of its InsightEngines, and the operator."""
    made = spaces.prepare(admin, tmp_path_factory.mktemp("reasons"), control_plane.audit_log)
    kube = made.kube
    uri = {"uri": "postgresql://reader:pw@sales.invalid/sales"}
    kube.create(barriers.secret("elsewhere", uri))
    kube.create(barriers.secret("closed", uri, labels={}))
    kube.create(barriers.secret("empty", {"username": "reader"}))
    clashing = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "clash-api"}}
    kube.create({**clashing, "spec": {"ports": [{"port": 1}]}})
    barriers.starve(kube)
    barriers.limit_memory(kube)
    barriers.forbid(kube, "services", "", "services", "object.metadata.name == 'barred-api'")
    barred = {"metadata": {"name": "barred-api"}, "spec": {"ports": [{"port": 1}]}}
    barriers.in_force(kube, kube.path("Service"), barred)
    barriers.forbid(
        kube,
        "pods",
        "",
        "pods",
        "object.metadata.?labels['app'].orValue('') == 'podless-worker'",
    )
    container = {"name": "x", "image": "x.invalid/x"}
    barred = {
        "metadata": {"name": "x", "labels": {"app": "podless-worker"}},
        "spec": {"containers": [container]},
    }
    barriers.in_force(kube, kube.path("Pod"), barred)
    made.operator.start()
    yield made
    made.operator.kill()


@pytest.fixture(scope="module")
def watcher(space: Space) -> Watcher:
    return Watcher(space.kube, for_s=900)


@pytest.fixture(scope="module")
def engines(space: Space, watcher: Watcher) -> Space:
    """All InsightEngines, made at once: what makes them wait they wait for together."""
    for name, case in CASES.items():
        space.kube.create(with_spec(name, case.spec))
    space.create_engine("vanna", **SMALL)
    for name, word in LAST_WORDS.items():
        fail_migration(space, name, word)
    return space


def with_spec(name: str, spec: Manifest) -> Manifest:
    made = spaces.engine_manifest(name)
    made["spec"] |= spec
    return made


def fail_migration(space: Space, name: str, word: dict[str, str]) -> None:
    """End the pod of the migrate Job as a kubelet would that ran it: the Job gives up at once."""
    pod = eventually(f"{name} has a migrate pod", lambda: next(iter(pods(space, name, "migrate")), None), 60)
    ended = {"exitCode": 78, "reason": "Error", "message": json.dumps(word), "finishedAt": LONG_AGO}
    container = {"name": "migrate", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
    status = {"phase": "Failed", "containerStatuses": [container | {"state": {"terminated": ended}}]}
    patch_status(space, pod, status)


def pods(space: Space, name: str, part: str) -> list[Manifest]:
    wanted = {naming.ENGINE_LABEL: name, naming.COMPONENT_LABEL: part}
    found = [pod for pod in space.kube.list("Pod") if wanted.items() <= pod["metadata"]["labels"].items()]
    return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]


def patch_status(space: Space, pod: Manifest, status: Manifest) -> None:
    path = f"{space.kube.path('Pod', pod['metadata']['name'])}/status"
    space.kube.request("PATCH", path, {"status": status}, "application/strategic-merge-patch+json")


@pytest.mark.parametrize("name", CASES)
def test_what_is_in_the_way_is_told_with_its_cure(engines: Space, name: str) -> None:
    case = CASES[name]
    status = "True" if case.condition == "Stalled" else "False"
    eventually_says(engines, name, case.condition, status, case.reason, case.words)


def eventually_says(
    space: Space, name: str, condition: str, status: str, reason: str, words: tuple[str, ...]
) -> None:
    found: Manifest = {}

    def told() -> bool:
        found.update(space.condition(condition, name))
        fits = (found.get("status"), found.get("reason")) == (status, reason)
        return fits and all(word in found["message"] for word in words)

    try:
        eventually(f"{name}: {condition}={status} {reason}", told, 90)
    except AssertionError as late:
        log = space.operator.log.read_text()[-3000:]
        raise AssertionError(f"{late}: {json.dumps(found)}\n{log}") from None


@pytest.fixture
def vanna(engines: Space) -> Iterator[Space]:
    engines.wait_for("Ready", reason="AllComponentsReady", within_s=120)
    yield engines
    for pod in (pod for part in naming.COMPONENTS for pod in pods(engines, "vanna", part)):
        if part_of(pod) != naming.MIGRATE:
            patch_status(engines, pod, well(pod))
    engines.wait_for("Ready", reason="AllComponentsReady", within_s=120)


def part_of(pod: Manifest) -> str:
    return str(pod["metadata"]["labels"][naming.COMPONENT_LABEL])


def well(pod: Manifest) -> Manifest:
    statuses = [container(item["name"], ready=True) for item in pod["spec"]["containers"]]
    return {"phase": "Running", "conditions": conditions("True"), "containerStatuses": statuses}


def container(name: str, **status: Any) -> Manifest:
    running = {"running": {"startedAt": LONG_AGO}}
    fixed = {"name": name, "image": "x.invalid/x:1", "imageID": "", "restartCount": 0, "ready": False}
    return fixed | {"state": running, "lastState": {}} | status


def conditions(ready: str, contained: str = "") -> list[Manifest]:
    return [
        {"type": "Ready", "status": ready, "lastTransitionTime": LONG_AGO},
        {"type": "ContainersReady", "status": contained or ready, "lastTransitionTime": LONG_AGO},
    ]


def spoil(space: Space, part: str, contained: str = "", **status: Any) -> list[Manifest]:
    """Let every pod of a component be unready with this status of its container."""
    found = pods(space, "vanna", part)
    for pod in found:
        spoilt = container(pod["spec"]["containers"][0]["name"], **status)
        changed = {"conditions": conditions("False", contained), "containerStatuses": [spoilt]}
        patch_status(space, pod, changed)
    return found


WAITS: dict[str, tuple[Manifest, tuple[str, ...]]] = {
    "image": (
        {"state": {"waiting": {"reason": "ImagePullBackOff"}}},
        ("x.invalid/x:1", "registry", "spec.image.pullSecrets"),
    ),
    "configuration": (
        {"state": {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "x" not found'}}},
        ('secret "x" not found',),
    ),
    "memory": (
        {
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
            "restartCount": 3,
        },
        ("spec.api.resources.limits.memory",),
    ),
    "crash": (
        {
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 75, "reason": "Error"}},
            "restartCount": 3,
        },
        ("3 times", "cannot be reached", "kubectl logs --previous"),
    ),
}


@pytest.mark.parametrize("wrong", WAITS)
def test_what_a_kubelet_reports_of_the_api_is_told(vanna: Space, wrong: str) -> None:
    status, words = WAITS[wrong]
    pod = min(item["metadata"]["name"] for item in spoil(vanna, naming.API, **status))
    if wrong == "image":
        eventually_says(vanna, "vanna", "Stalled", "True", "ImagePullFailed", ("api", pod, *words))
        return
    eventually_says(vanna, "vanna", "Ready", "False", "APIUnavailable", ("api", pod, *words))
    eventually_says(vanna, "vanna", "Available", "False", "NoEndpoints", (pod,))


def test_a_probe_that_fails_is_told_with_what_it_met(vanna: Space) -> None:
    for pod in spoil(vanna, naming.API):  # two pods: what one met is told, whichever is named
        barriers.event(
            vanna.kube, pod, "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503"
        )
    words = ("readiness probe", "it answers 503", "kubectl logs")
    eventually_says(vanna, "vanna", "Ready", "False", "APIUnavailable", words)


def test_restarts_by_the_liveness_probe_are_told(vanna: Space) -> None:
    for pod in pods(vanna, "vanna", naming.WORKER):
        said = 'Liveness probe failed: Get "http://10.0.0.1:9090/health/live": context deadline exceeded'
        barriers.event(vanna.kube, pod, "Unhealthy", said)
    died = {"terminated": {"exitCode": 137, "reason": "Error"}}
    spoil(vanna, naming.WORKER, lastState=died, restartCount=4)
    words = ("worker", "4 times", "liveness probe", "does not answer in time")
    eventually_says(vanna, "vanna", "Ready", "False", "WorkersUnavailable", words)


def test_pods_of_a_lost_node_are_told(vanna: Space) -> None:
    pod = spoil(vanna, naming.REDIS, contained="True", ready=True)[0]
    words = ("broker", pod["metadata"]["name"], "does not answer", pod["spec"]["nodeName"])
    eventually_says(vanna, "vanna", "Ready", "False", "BrokerUnreachable", words)


def test_a_lost_database_is_told_as_what_the_api_waits_for(vanna: Space) -> None:
    spoil(vanna, naming.POSTGRES)
    spoil(vanna, naming.API)
    eventually_says(vanna, "vanna", "Ready", "False", "DatabaseUnreachable", ("database",))
    eventually_says(vanna, "vanna", "Available", "False", "DependencyDown", ("PostgreSQL",))


@pytest.mark.parametrize(("part", "reason"), [("api", "PartialAPI"), ("worker", "PartialWorkers")])
def test_less_than_the_spec_asks_for_degrades(vanna: Space, part: str, reason: str) -> None:
    pod = pods(vanna, "vanna", part)[0]
    spoilt = container(pod["spec"]["containers"][0]["name"])
    patch_status(vanna, pod, {"conditions": conditions("False"), "containerStatuses": [spoilt]})
    eventually_says(vanna, "vanna", "Degraded", "True", reason, (pod["metadata"]["name"],))
    assert vanna.condition("Ready")["status"] == "True"


def test_a_plan_and_a_suspended_change_are_told(vanna: Space) -> None:
    change = {"mode": "Plan", "workers": {"replicas": 3}}
    vanna.kube.patch(naming.KIND, "vanna", {"spec": change})
    eventually_says(vanna, "vanna", "Ready", "False", "Planned", ("spec.mode",))
    vanna.kube.patch(naming.KIND, "vanna", {"spec": {"mode": "Apply", "suspend": True}})
    eventually_says(vanna, "vanna", "Ready", "False", "Suspended", ("spec.suspend",))
    vanna.kube.patch(naming.KIND, "vanna", {"spec": {"suspend": False, "workers": {"replicas": 2}}})


ELSEWHERE = {
    ("Stalled", "RolledBack"): "test_rollback.py",
    ("Reconciling", "WaitingForApproval"): "test_pinning.py",
    ("Ready", "WaitingForApproval"): "test_pinning.py",
    ("Stalled", "ProgressDeadlineExceeded"): "takes ten minutes: unit tests",
}


def test_a_whole_life_showed_every_reason(vanna: Space, watcher: Watcher) -> None:
    every = {(kind.value, reason.value) for kind, reasons in REASONS.items() for reason in reasons}
    seen = {(kind, reason) for kind, _, reason in watcher.seen}
    assert sorted(every - seen - set(ELSEWHERE)) == []
    assert sorted(seen - every) == []


def test_what_came_again_is_one_event_counted_up(vanna: Space) -> None:
    told = [item for item in vanna.kube.list("Event") if item["regarding"]["kind"] == naming.KIND]
    texts = [
        (item["regarding"]["name"], item["reason"], item["note"])
        for item in told
        if item["reason"] == "AllComponentsReady"
    ]
    assert texts
    again = [item["series"]["count"] for item in told if item.get("series")]
    ready = [item for item in told if item["reason"] == "AllComponentsReady"]
    assert len({item["metadata"]["name"] for item in ready}) == len(ready) <= 4  # one for each generation
    assert max(again) >= 5  # Ready was lost and found again by each of the tests above
