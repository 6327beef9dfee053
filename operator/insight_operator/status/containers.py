"""What keeps one container from being ready, as a sentence with its cure. Pure."""

from collections.abc import Iterator
from datetime import datetime

from insight_operator.desired.migrate_job import EXIT_MISCONFIGURED, EXIT_UNREACHABLE
from insight_operator.snapshot import Manifest, Remark
from insight_operator.status.remarks import PROBE_PATIENCE, older, probe_answer
from insight_operator.status.trouble import Complaint, Trouble, image_cure, resources_cure

_PULL_FAILED = {"ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
_CONFIG_FAILED = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
_OUT_OF_MEMORY = "OOMKilled"


def of_container(
    part: str, pod: str, container: Manifest, now: datetime, remarks: tuple[Remark, ...]
) -> Iterator[Complaint]:
    """Yield at most one complaint about a container of the pod called `pod`."""
    state = container.get("state", {})
    reason = state.get("waiting", {}).get("reason", "")
    if reason in _PULL_FAILED:
        yield _unpulled(part, pod, container)
    elif reason in _CONFIG_FAILED:
        yield _misconfigured(pod, container["name"], state["waiting"])
    elif container.get("ready") or _succeeded(state):
        return
    elif _ended(container).get("reason") == _OUT_OF_MEMORY:
        yield out_of_memory(part, pod)
    elif container.get("restartCount") and (met := probe_answer(remarks, pod, "Liveness")) is not None:
        yield _unalive(pod, container, met)
    elif reason == "CrashLoopBackOff":
        yield _crash(pod, container, _ended(container).get("exitCode"))
    elif older(state.get("running", {}).get("startedAt"), now, PROBE_PATIENCE):
        yield _unready(pod, probe_answer(remarks, pod, "Readiness"))


def out_of_memory(part: str, pod: str) -> Complaint:
    """Return the complaint about a pod that was killed for its memory."""
    cure = resources_cure(part, "limits.memory")
    return Complaint(
        Trouble.MEMORY, f"pod {pod} was killed for using more memory than its limit: raise {cure}"
    )


def killed_for_memory(pod: Manifest) -> bool:
    """Tell whether a container of a pod that has ended was killed for its memory."""
    containers = pod.get("status", {}).get("containerStatuses", ())
    return any(_ended(container).get("reason") == _OUT_OF_MEMORY for container in containers)


def _ended(container: Manifest) -> Manifest:
    now, before = container.get("state", {}), container.get("lastState", {})
    return dict(now.get("terminated") or before.get("terminated") or {})


def _succeeded(state: Manifest) -> bool:
    return bool(state.get("terminated")) and state["terminated"].get("exitCode") == 0


def _unpulled(part: str, pod: str, container: Manifest) -> Complaint:
    return Complaint(
        Trouble.IMAGE,
        f"pod {pod} cannot pull the image {container.get('image', '')}: check its name in "
        f"{image_cure(part)}, that the node reaches the registry, and the login in spec.image.pullSecrets",
    )


def _misconfigured(pod: str, container: str, waiting: Manifest) -> Complaint:
    said = waiting.get("message") or waiting["reason"]
    return Complaint(
        Trouble.CONFIGURATION,
        f"pod {pod} cannot start its container {container}: {said}; correct what it names",
    )


def _unalive(pod: str, container: Manifest, met: str) -> Complaint:
    why = f" ({met})" if met else ""
    return Complaint(
        Trouble.LIVENESS,
        f"pod {pod} was restarted {container['restartCount']} times because its liveness probe fails{why}: "
        f"see kubectl logs --previous {pod} -c {container['name']}",
    )


def _unready(pod: str, met: str | None) -> Complaint:
    why = f" ({met})" if met else ""
    return Complaint(
        Trouble.PROBE, f"pod {pod} runs but its readiness probe fails{why}: see kubectl logs {pod}"
    )


def _crash(pod: str, container: Manifest, code: int | None) -> Complaint:
    meaning = {
        EXIT_UNREACHABLE: "what it depends on cannot be reached",
        EXIT_MISCONFIGURED: "its configuration is wrong",
    }.get(code or 0, f"it exits with code {code}" if code is not None else "it keeps ending")
    count = container.get("restartCount", 0)
    return Complaint(
        Trouble.CRASH,
        f"pod {pod} keeps restarting ({count} times), {meaning}: "
        f"see kubectl logs --previous {pod} -c {container['name']}",
    )
