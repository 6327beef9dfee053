"""What keeps one pod from being ready, as a sentence with its cure. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from insight_operator.snapshot import Manifest, Remark
from insight_operator.status.containers import killed_for_memory, of_container, out_of_memory
from insight_operator.status.remarks import condition, last, older
from insight_operator.status.trouble import Complaint, Trouble, resources_cure, storage_cure

LEAVING_PATIENCE = timedelta(seconds=60)
"""How long after its grace period a pod may take to go."""
_VOLUME_WORDS = ("PersistentVolumeClaim", "persistentvolumeclaim", "volume node affinity", "volume zone")
_VOLUME_REASONS = ("FailedMount", "FailedAttachVolume", "FailedMapVolume")
_UNBOUND_REASONS = ("ProvisioningFailed", "FailedBinding")


def of_pod(part: str, pod: Manifest, now: datetime, remarks: tuple[Remark, ...]) -> Iterator[Complaint]:
    """Yield what is wrong with a pod that should run."""
    name, status = pod["metadata"]["name"], pod.get("status", {})
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("reason") == "Unschedulable":
        yield _unscheduled(part, pod, scheduled.get("message", "no node fits"), remarks)
    elif _on_lost_node(pod):
        yield Complaint(
            Trouble.NODE,
            f"pod {name} is lost: its node {_node(pod)} does not answer; bring the node back or remove it",
        )
    elif status.get("phase") == "Pending":
        yield from _not_started(part, name, remarks)
    for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        yield from of_container(part, name, container, now, remarks)


def of_ended_pod(part: str, pod: Manifest, now: datetime) -> Iterator[Complaint]:
    """Yield what is wrong with a pod that ended or is to go, where no other has taken its place."""
    name, status = pod["metadata"]["name"], pod.get("status", {})
    if older(pod["metadata"].get("deletionTimestamp"), now, LEAVING_PATIENCE):
        yield Complaint(
            Trouble.NODE,
            f"pod {name} cannot end because its node {_node(pod)} does not answer: bring the node back or "
            f"remove it; only if it is surely off, kubectl delete pod {name} --force",
        )
    elif status.get("phase") == "Failed" and status.get("reason") == "Evicted":
        yield Complaint(
            Trouble.ENDED,
            f"pod {name} was evicted: {_sentence(status.get('message', 'its node ran short'))}; "
            f"make room on node {_node(pod)}, or raise {resources_cure(part, 'requests')}",
        )
    elif status.get("phase") == "Failed" and killed_for_memory(pod):
        yield out_of_memory(part, name)
    elif status.get("phase") == "Failed" and status.get("reason"):
        said = _sentence(status.get("message", ""))
        yield Complaint(
            Trouble.ENDED,
            f"pod {name} was ended by node {_node(pod)}: {status['reason']} {said}".strip()
            + "; see kubectl describe pod",
        )


def _unscheduled(part: str, pod: Manifest, said: str, remarks: tuple[Remark, ...]) -> Complaint:
    name = pod["metadata"]["name"]
    if not any(word in said for word in _VOLUME_WORDS):
        return Complaint(
            Trouble.UNSCHEDULABLE,
            f"pod {name} cannot be scheduled: {_sentence(said)}; add room, or lower "
            f"{resources_cure(part, 'requests')}, or loosen spec.scheduling",
        )
    for claim in _claims(pod):
        why = last(remarks, "PersistentVolumeClaim", claim, _UNBOUND_REASONS)
        if why is not None:
            said = f"claim {claim}: {why.message}"
    return Complaint(
        Trouble.VOLUME,
        f"pod {name} waits for its volume: {_sentence(said)}; "
        f"check {storage_cure(part)} and that the StorageClass can provide it",
    )


def _not_started(part: str, name: str, remarks: tuple[Remark, ...]) -> Iterator[Complaint]:
    unmounted = last(remarks, "Pod", name, _VOLUME_REASONS)
    if unmounted is not None:
        yield Complaint(
            Trouble.VOLUME,
            f"pod {name} cannot mount a volume: {_sentence(unmounted.message)}; "
            f"see kubectl describe pod {name}, and {storage_cure(part)}",
        )
        return
    sandbox = last(remarks, "Pod", name, ("FailedCreatePodSandBox",))
    if sandbox is not None:
        yield Complaint(
            Trouble.NODE,
            f"pod {name} cannot be started by its node: {_sentence(sandbox.message)}; "
            "have the cluster's administrator look at that node's network and runtime",
        )


def _on_lost_node(pod: Manifest) -> bool:
    # A kubelet takes Ready back together with ContainersReady and says why; the node controller takes back
    # Ready alone.
    ready = condition(pod, "Ready")
    return (
        ready.get("status") in {"False", "Unknown"}
        and condition(pod, "ContainersReady").get("status") == "True"
        and not pod.get("spec", {}).get("readinessGates")
    )


def _claims(pod: Manifest) -> Iterator[str]:
    for volume in pod.get("spec", {}).get("volumes", ()):
        if "persistentVolumeClaim" in volume:
            yield volume["persistentVolumeClaim"]["claimName"]


def _node(pod: Manifest) -> str:
    return str(pod.get("spec", {}).get("nodeName", "unknown"))


def _sentence(said: str) -> str:
    return said.strip().rstrip(".")
