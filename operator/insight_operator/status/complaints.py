"""What keeps a component's pods from being ready, as one sentence with its cure. Pure.

Only what Kubernetes itself says is repeated here; nothing that a container printed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from insight_operator import naming
from insight_operator.snapshot import Manifest

PROBE_PATIENCE = timedelta(seconds=60)
EXIT_UNREACHABLE = 75
EXIT_MISCONFIGURED = 78
_PULL_FAILED = {"ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
_CONFIG_FAILED = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
_FIELDS = {
    naming.API: "spec.api",
    naming.WORKER: "spec.workers",
    naming.POSTGRES: "spec.database.managed",
    naming.REDIS: "spec.broker.managed",
}


class Trouble(Enum):
    """Kinds of trouble, gravest first."""

    QUOTA = auto()
    IMAGE = auto()
    CONFIGURATION = auto()
    MEMORY = auto()
    CRASH = auto()
    UNSCHEDULABLE = auto()
    REFUSED = auto()
    PROBE = auto()


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with one component.

    Attributes:
        trouble: what kind it is.
        message: the sentence.
    """

    trouble: Trouble
    message: str


def complaint(
    part: str, workload: Manifest | None, pods: Iterable[Manifest], now: datetime
) -> Complaint | None:
    """Return the gravest trouble of a component, the same one for the same state."""
    found = [*_of_workload(workload)]
    for pod in sorted(pods, key=lambda pod: str(pod["metadata"]["name"])):
        if not pod["metadata"].get("deletionTimestamp"):
            found += _of_pod(part, pod, now)
    return min(found, key=lambda item: item.trouble.value, default=None)


def _of_workload(workload: Manifest | None) -> Iterator[Complaint]:
    for condition in (workload or {}).get("status", {}).get("conditions", ()):
        if condition["type"] != "ReplicaFailure" or condition["status"] != "True":
            continue
        said = condition.get("message", "pods cannot be created")
        name = (workload or {})["metadata"]["name"]
        if "exceeded quota" in said:
            yield Complaint(
                Trouble.QUOTA, f"{name}: {said}; raise the ResourceQuota or lower resources or replicas"
            )
        else:
            yield Complaint(Trouble.REFUSED, f"{name}: {said}")


def _of_pod(part: str, pod: Manifest, now: datetime) -> Iterator[Complaint]:
    name, status = pod["metadata"]["name"], pod.get("status", {})
    for condition in status.get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable":
            yield Complaint(
                Trouble.UNSCHEDULABLE,
                f"pod {name} cannot be scheduled: {condition.get('message', 'no node fits')}; "
                f"add room, or lower {_FIELDS.get(part, 'spec')}.resources.requests or spec.scheduling",
            )
    for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        yield from _of_container(part, name, container, now)


def _of_container(part: str, pod: str, container: Manifest, now: datetime) -> Iterator[Complaint]:
    state = container.get("state", {})
    waiting, running = state.get("waiting", {}), state.get("running", {})
    reason = waiting.get("reason", "")
    ended = state.get("terminated") or container.get("lastState", {}).get("terminated") or {}
    if reason in _PULL_FAILED:
        yield Complaint(
            Trouble.IMAGE,
            f"pod {pod} cannot pull the image {container.get('image', '')}: check its name, "
            "the registry and spec.image.pullSecrets",
        )
    elif reason in _CONFIG_FAILED:
        said = waiting.get("message", reason)
        yield Complaint(Trouble.CONFIGURATION, f"pod {pod} cannot start its container: {said}")
    elif not container.get("ready") and ended.get("reason") == "OOMKilled":
        yield Complaint(
            Trouble.MEMORY,
            f"pod {pod} was killed for using more memory than its limit: "
            f"raise {_FIELDS.get(part, 'spec')}.resources.limits.memory",
        )
    elif reason == "CrashLoopBackOff":
        yield Complaint(Trouble.CRASH, _crash(pod, container, ended.get("exitCode")))
    elif running and not container.get("ready") and _older(running.get("startedAt"), now):
        yield Complaint(
            Trouble.PROBE, f"pod {pod} runs but its readiness probe fails: see kubectl logs {pod}"
        )


def _crash(pod: str, container: Manifest, code: int | None) -> str:
    where = f"see kubectl logs --previous {pod} -c {container['name']}"
    meaning = {
        EXIT_UNREACHABLE: "what it depends on cannot be reached",
        EXIT_MISCONFIGURED: "its configuration is wrong",
    }.get(code or 0, f"it exits with code {code}" if code is not None else "it keeps ending")
    return f"pod {pod} keeps restarting ({container.get('restartCount', 0)} times), {meaning}: {where}"


def _older(started: str | None, now: datetime) -> bool:
    return started is not None and now - datetime.fromisoformat(started) > PROBE_PATIENCE
