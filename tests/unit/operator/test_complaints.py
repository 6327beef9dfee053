"""A component's trouble becomes one sentence that names the pod and the cure."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from insight_operator.snapshot import Manifest, Observed, Remark
from insight_operator.status.complaints import complaint
from insight_operator.status.remarks import PROBE_PATIENCE, unexplained
from insight_operator.status.trouble import Trouble

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def _pod(**container: Any) -> Manifest:
    status = {"name": "api", "ready": False, "image": "repo/x:1", "restartCount": 4} | container
    return {"metadata": {"name": "vanna-api-1"}, "status": {"containerStatuses": [status]}}


def _waiting(waits: str, **last: Any) -> Manifest:
    waiting = {"waiting": {"reason": waits, "message": "said so"}}
    return _pod(state=waiting, lastState={"terminated": last} if last else {})


UNSCHEDULABLE: Manifest = {
    "metadata": {"name": "vanna-api-1"},
    "status": {
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/1 nodes: cpu",
            }
        ]
    },
}


@pytest.mark.parametrize(
    ("pod", "trouble", "words"),
    [
        (_waiting("ImagePullBackOff"), Trouble.IMAGE, "cannot pull the image repo/x:1"),
        (_waiting("InvalidImageName"), Trouble.IMAGE, "spec.image"),
        (_waiting("CreateContainerConfigError"), Trouble.CONFIGURATION, "said so"),
        (_waiting("CrashLoopBackOff", exitCode=1), Trouble.CRASH, "kubectl logs --previous vanna-api-1"),
        (_waiting("CrashLoopBackOff", exitCode=78), Trouble.CRASH, "its configuration is wrong"),
        (_waiting("CrashLoopBackOff", exitCode=75), Trouble.CRASH, "cannot be reached"),
        (
            _waiting("CrashLoopBackOff", exitCode=137, reason="OOMKilled"),
            Trouble.MEMORY,
            "spec.api.resources.limits.memory",
        ),
        (UNSCHEDULABLE, Trouble.UNSCHEDULABLE, "0/1 nodes: cpu"),
    ],
    ids=lambda value: value.name if isinstance(value, Trouble) else "",
)
def test_a_pods_trouble_is_told(pod: Manifest, trouble: Trouble, words: str) -> None:
    found = complaint("api", None, [pod], NOW)
    assert found is not None
    assert found.trouble is trouble
    assert "vanna-api-1" in found.message
    assert words in found.message


@pytest.mark.parametrize(
    ("age", "told"),
    [(PROBE_PATIENCE, False), (PROBE_PATIENCE + timedelta(seconds=1), True)],
    ids=["young", "old"],
)
def test_a_failing_probe_is_told_only_after_a_start_may_have_ended(age: timedelta, told: bool) -> None:
    pod = _pod(state={"running": {"startedAt": (NOW - age).isoformat()}})
    assert (complaint("api", None, [pod], NOW) is not None) is told


def test_a_first_failed_pull_is_no_trouble_yet() -> None:
    assert complaint("api", None, [_waiting("ErrImagePull")], NOW) is None


def test_a_pod_that_is_going_is_no_trouble() -> None:
    pod = _waiting("ImagePullBackOff")
    pod["metadata"]["deletionTimestamp"] = NOW.isoformat()
    assert complaint("api", None, [pod], NOW) is None


def test_a_ready_container_that_was_once_out_of_memory_is_no_trouble() -> None:
    pod = _pod(ready=True, state={"running": {}}, lastState={"terminated": {"reason": "OOMKilled"}})
    assert complaint("api", None, [pod], NOW) is None


def test_a_quota_that_refuses_pods_is_the_gravest() -> None:
    failure = {
        "type": "ReplicaFailure",
        "status": "True",
        "message": 'pods "x" is forbidden: exceeded quota: q',
    }
    workload = {"metadata": {"name": "vanna-api"}, "status": {"conditions": [failure]}}
    found = complaint("api", workload, [_waiting("ImagePullBackOff")], NOW)
    assert found is not None
    assert found.trouble is Trouble.QUOTA
    assert "raise the ResourceQuota" in found.message


def test_the_same_pods_in_another_order_give_the_same_sentence() -> None:
    one, two = _waiting("ImagePullBackOff"), _waiting("ImagePullBackOff")
    two["metadata"]["name"] = "vanna-api-2"
    assert complaint("api", None, [one, two], NOW) == complaint("api", None, [two, one], NOW)


def _unhealthy(message: str) -> tuple[Remark, ...]:
    return (Remark("Pod", "vanna-api-1", "Unhealthy", message),)


LONG_AGO = (NOW - timedelta(hours=1)).isoformat()
RUNNING = {"running": {"startedAt": LONG_AGO}}
NOTHING: tuple[Remark, ...] = ()


def _phase(phase: str, **status: Any) -> Manifest:
    spec = {"nodeName": "node-3", "volumes": [{"persistentVolumeClaim": {"claimName": "data-x"}}]}
    return {"metadata": {"name": "vanna-api-1"}, "spec": spec, "status": {"phase": phase, **status}}


def _conditions(**conditions: str) -> list[Manifest]:
    return [{"type": kind, "status": status} for kind, status in conditions.items()]


def _unscheduled(message: str) -> Manifest:
    told = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return _phase("Pending", conditions=[told])


@pytest.mark.parametrize(
    ("pod", "remarks", "trouble", "words"),
    [
        (
            _pod(state=RUNNING),
            _unhealthy("Readiness probe failed: HTTP probe failed with statuscode: 503"),
            Trouble.PROBE,
            ("readiness probe fails (it answers 503)", "kubectl logs"),
        ),
        (
            _pod(state=RUNNING),
            _unhealthy('Liveness probe failed: Get "http://10.0.0.1/": context deadline exceeded'),
            Trouble.LIVENESS,
            ("restarted 4 times", "does not answer in time", "kubectl logs --previous"),
        ),
        (
            _pod(state=RUNNING),
            _unhealthy("Readiness probe failed: CANARY-said-by-a-command"),
            Trouble.PROBE,
            ("readiness probe fails: see",),
        ),
        (
            _phase("Pending"),
            (Remark("Pod", "vanna-api-1", "FailedMount", 'secret "x" not found'),),
            Trouble.VOLUME,
            ("cannot mount a volume", 'secret "x" not found'),
        ),
        (
            _phase("Pending"),
            (Remark("Pod", "vanna-api-1", "FailedAttachVolume", "Multi-Attach error for volume"),),
            Trouble.VOLUME,
            ("Multi-Attach error",),
        ),
        (
            _phase("Pending"),
            (Remark("Pod", "vanna-api-1", "FailedCreatePodSandBox", "no address left"),),
            Trouble.NODE,
            ("no address left", "administrator"),
        ),
        (
            _unscheduled("pod has unbound immediate PersistentVolumeClaims"),
            (Remark("PersistentVolumeClaim", "data-x", "ProvisioningFailed", 'storageclass "y" not found'),),
            Trouble.VOLUME,
            ("waits for its volume", "claim data-x", 'storageclass "y" not found', "StorageClass"),
        ),
        (
            _phase("Running", conditions=_conditions(Ready="False", ContainersReady="True")),
            NOTHING,
            Trouble.NODE,
            ("node-3 does not answer", "remove it"),
        ),
        (
            _phase("Failed", reason="Evicted", message="The node was low on resource: memory."),
            NOTHING,
            Trouble.ENDED,
            ("was evicted", "low on resource: memory", "spec.api.resources.requests"),
        ),
        (
            _phase("Failed", reason="Terminated", message="node shutdown"),
            NOTHING,
            Trouble.ENDED,
            ("node-3", "node shutdown"),
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Trouble) else "",
)
def test_what_only_events_or_a_node_tell_is_told_too(
    pod: Manifest, remarks: tuple[Remark, ...], trouble: Trouble, words: tuple[str, ...]
) -> None:
    found = complaint("api", None, [pod], NOW, remarks)
    assert found is not None
    assert found.trouble is trouble
    assert [word for word in ("vanna-api-1", *words) if word not in found.message] == []
    assert "CANARY" not in found.message


def test_a_pod_that_cannot_end_is_told_after_its_time() -> None:
    pod = _phase("Running")
    pod["metadata"]["deletionTimestamp"] = (NOW - timedelta(seconds=61)).isoformat()
    found = complaint("postgres", None, [pod], NOW)
    assert found is not None
    assert "cannot end" in found.message


def test_an_evicted_pod_that_was_replaced_is_no_trouble() -> None:
    workload = {
        "metadata": {"name": "vanna-api"},
        "spec": {"replicas": 2},
        "status": {"readyReplicas": 2},
    }
    assert complaint("api", workload, [_phase("Failed", reason="Evicted")], NOW) is None


STATEFUL_SET: Manifest = {
    "kind": "StatefulSet",
    "metadata": {"name": "vanna-postgres"},
    "spec": {"replicas": 1},
}


@pytest.mark.parametrize(
    ("said", "trouble", "cure"),
    [
        ("exceeded quota: q, requested: pods=1", Trouble.QUOTA, "raise the ResourceQuota"),
        ("maximum memory usage per Container is 64Mi", Trouble.REFUSED, "change the LimitRange"),
        ("ValidatingAdmissionPolicy 'p' denied request: no", Trouble.REFUSED, "change that policy"),
        ('admission webhook "w" denied the request: no', Trouble.REFUSED, "change that policy"),
        ('violates PodSecurity "restricted"', Trouble.REFUSED, "change that policy"),
        ("error looking up service account", Trouble.REFUSED, "remove what refuses it"),
    ],
    ids=["quota", "limit range", "policy", "webhook", "profile", "other"],
)
def test_why_a_stateful_set_gets_no_pod_is_told_from_its_events(
    said: str, trouble: Trouble, cure: str
) -> None:
    note = f'create Pod vanna-postgres-0 failed error: pods "vanna-postgres-0" is forbidden: {said}'
    failed = Remark("StatefulSet", "vanna-postgres", "FailedCreate", note)
    found = complaint("postgres", STATEFUL_SET, [], NOW, (failed,))
    assert found is not None
    assert found.trouble is trouble
    start = 'StatefulSet vanna-postgres gets no pod: pods "vanna-postgres-0" is forbidden'
    assert found.message.startswith(start)
    assert cure in found.message
    made = Remark("StatefulSet", "vanna-postgres", "SuccessfulCreate", "created")
    assert complaint("postgres", STATEFUL_SET, [], NOW, (failed, made)) is None


def _made(kind: str, name: str, age_s: float, **more: Any) -> Manifest:
    made = (NOW - timedelta(seconds=age_s)).isoformat()
    return {"kind": kind, "metadata": {"name": name, "creationTimestamp": made, "generation": 1}, **more}


SHORT = {"spec": {"replicas": 1}, "status": {"observedGeneration": 1}}
PENDING = {"status": {"phase": "Pending"}}


@pytest.mark.parametrize(
    ("child", "asked"),
    [
        (_made("StatefulSet", "x", 16, **SHORT), True),
        (_made("StatefulSet", "x", 14, **SHORT), False),
        (_made("StatefulSet", "x", 16, spec={"replicas": 1}, status={}), False),
        (_made("Job", "x", 16, status={}), True),
        (_made("Job", "x", 16, status={"active": 1}), False),
        (_made("Job", "x", 16, status={"conditions": _conditions(Complete="True")}), False),
        (_made("PersistentVolumeClaim", "x", 16, **PENDING), True),
        (_made("PersistentVolumeClaim", "x", 16, status={"phase": "Bound"}), False),
        (_made("Deployment", "x", 16, **SHORT), False),
    ],
)
def test_events_are_asked_for_only_where_a_status_does_not_tell(child: Manifest, asked: bool) -> None:
    observed = Observed({}, {(child["kind"], "x"): child})
    assert unexplained(observed, NOW) == ((child,) if asked else ())


@pytest.mark.parametrize(
    ("status", "age_s", "asked"),
    [
        (PENDING["status"], 16, True),
        (PENDING["status"], 14, False),
        (
            {"phase": "Running", "containerStatuses": [{"name": "x", "ready": False, "state": RUNNING}]},
            16,
            True,
        ),
        (
            {"phase": "Running", "containerStatuses": [{"name": "x", "ready": False, "restartCount": 1}]},
            1,
            True,
        ),
        ({"phase": "Running", "containerStatuses": [{"name": "x", "ready": False}]}, 16, False),
        ({"phase": "Running", "conditions": _conditions(Ready="True")}, 99, False),
        ({"phase": "Pending", "conditions": _conditions(PodScheduled="False")}, 99, False),
        ({"phase": "Failed"}, 99, False),
    ],
)
def test_events_of_pods_are_asked_for_only_while_they_hang(
    status: Manifest, age_s: float, asked: bool
) -> None:
    pod = _made("Pod", "vanna-api-1", age_s, status=status)
    assert unexplained(Observed({}, {}, (pod,)), NOW) == ((pod,) if asked else ())
