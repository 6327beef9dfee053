"""A component's trouble becomes one sentence that names the pod and the cure."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from insight_operator.snapshot import Manifest
from insight_operator.status.complaints import PROBE_PATIENCE, Trouble, complaint

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
    pod["metadata"]["deletionTimestamp"] = "now"
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
