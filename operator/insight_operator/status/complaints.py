"""What keeps a component's pods from being ready, as one sentence with its cure. Pure.

Only what Kubernetes itself says is repeated here; nothing that a container printed.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from insight_operator.snapshot import Manifest, Remark
from insight_operator.status.pods import of_ended_pod, of_pod
from insight_operator.status.remarks import condition, uncreated
from insight_operator.status.trouble import Complaint, Trouble, resources_cure

_LIMIT_RANGE = re.compile(r"(maximum|minimum) \S+ usage per |limit to request ratio per ")
_POLICY = ("denied request", "denied the request", "violates PodSecurity")


def complaint(
    part: str,
    workload: Manifest | None,
    pods: Iterable[Manifest],
    now: datetime,
    remarks: tuple[Remark, ...] = (),
) -> Complaint | None:
    """Return the gravest trouble of a component, the same one for the same state.

    Args:
        part: the component.
        workload: what makes its pods; None where that is not to be judged.
        pods: its pods of the present template.
        now: the time, for what is trouble only after a while.
        remarks: what Events say of them, oldest first.
    """
    found = [*_of_workload(part, workload, remarks)] if workload else []
    for pod in sorted(pods, key=lambda pod: str(pod["metadata"]["name"])):
        if not _has_ended(pod):
            found += of_pod(part, pod, now, remarks)
        elif _lacks_pods(workload):
            found += of_ended_pod(part, pod, now)
    return min(found, key=lambda item: item.trouble.value, default=None)


def _of_workload(part: str, workload: Manifest, remarks: tuple[Remark, ...]) -> Iterator[Complaint]:
    name, failure = workload["metadata"]["name"], condition(workload, "ReplicaFailure")
    if failure.get("status") == "True":
        said = str(failure.get("message", "pods cannot be created"))
    else:
        said = uncreated(remarks, str(workload.get("kind", "")), name)
    if said:
        yield _refusal(part, f"{workload.get('kind', 'workload')} {name}", said)


def _refusal(part: str, title: str, said: str) -> Complaint:
    # Each controller puts words of its own before what the API server said.
    refusal = said[max(said.find('pods "'), 0) :].strip().rstrip(".")
    told = f"{title} gets no pod: {refusal}"
    resources = resources_cure(part, "")
    if "exceeded quota" in said:
        return Complaint(
            Trouble.QUOTA, f"{told}; raise the ResourceQuota, or lower {resources} or the replicas"
        )
    if _LIMIT_RANGE.search(said):
        return Complaint(Trouble.REFUSED, f"{told}; change the LimitRange, or {resources} to fit it")
    if any(word in said for word in _POLICY):
        return Complaint(Trouble.REFUSED, f"{told}; change that policy, or the spec to fit it")
    return Complaint(Trouble.REFUSED, f"{told}; remove what refuses it")


def _has_ended(pod: Manifest) -> bool:
    ended = pod.get("status", {}).get("phase") in {"Failed", "Succeeded"}
    return ended or bool(pod["metadata"].get("deletionTimestamp"))


def _lacks_pods(workload: Manifest | None) -> bool:
    if workload is None:
        return True
    ready = workload.get("status", {}).get("readyReplicas", 0)
    return bool(ready < workload.get("spec", {}).get("replicas", 1))
