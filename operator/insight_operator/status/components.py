"""How each component does: counts, whether its rollout is complete, what is wrong with it. Pure."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from insight_operator import naming
from insight_operator.desired.deployments import PROGRESS_DEADLINE_S
from insight_operator.snapshot import Manifest, Observed
from insight_operator.status.complaints import complaint
from insight_operator.status.remarks import condition, older
from insight_operator.status.trouble import Complaint

WORKLOADS = {
    naming.API: "Deployment",
    naming.WORKER: "Deployment",
    naming.POSTGRES: "StatefulSet",
    naming.REDIS: "StatefulSet",
}
STATUS_NAMES = {
    naming.API: "api",
    naming.WORKER: "worker",
    naming.POSTGRES: "database",
    naming.REDIS: "broker",
}
_DEADLINE = timedelta(seconds=PROGRESS_DEADLINE_S)


@dataclass(frozen=True, slots=True)
class Component:
    """One workload as it is.

    Attributes:
        part: which one.
        exists: whether the workload is there; an external database or broker has none.
        desired: pods asked for.
        updated: pods of the newest template.
        total: pods of any template.
        ready: pods that pass their readiness probe.
        available: pods that count as available.
        observed: whether these counts are of the workload's present generation.
        leaving: whether pods of an older template are still ending.
        late: whether the rollout missed its progress deadline.
        image: image of the first container.
        complaint: what is wrong with it.
    """

    part: str
    exists: bool = False
    desired: int = 0
    updated: int = 0
    total: int = 0
    ready: int = 0
    available: int = 0
    observed: bool = False
    leaving: bool = False
    late: bool = False
    image: str = ""
    complaint: Complaint | None = field(default=None)

    @property
    def called(self) -> str:
        """What `.status.components` and messages call it."""
        return STATUS_NAMES[self.part]

    @property
    def up(self) -> bool:
        """Whether at least one pod serves."""
        return self.available > 0

    @property
    def full(self) -> bool:
        """Whether every pod asked for serves."""
        return self.exists and self.available >= self.desired

    @property
    def uniform(self) -> bool:
        """Whether the counts are current and no pod of an older template is left."""
        return self.observed and self.total <= self.updated and not self.leaving

    @property
    def complete(self) -> bool:
        """Whether the rollout of the present template has finished."""
        return self.uniform and self.updated >= self.desired and self.full

    def manifest(self) -> Manifest:
        """Return its entry of `.status.components`."""
        made: Manifest = {
            "desired": self.desired,
            "updated": self.updated,
            "ready": self.ready,
            "available": self.available,
            "summary": f"{self.available}/{self.desired}",
            "image": self.image,
        }
        if self.complaint:
            made["message"] = self.complaint.message[:1024]
        return made


def component(
    part: str, name: str, observed: Observed, now: datetime, planned: Manifest | None = None
) -> Component:
    """Return how the component of the InsightEngine called `name` does.

    What is asked for is what `planned` says, not what somebody made of the live object. Trouble is told of
    the planned template only: pods of an earlier one, and words from before a correction, judge nothing.
    """
    kind = WORKLOADS[part]
    live = observed.children.get((kind, naming.child_of(name, part)))
    if live is None:
        return Component(part)
    app = naming.child_of(name, part)
    pods = [pod for pod in observed.pods if pod["metadata"].get("labels", {}).get(naming.APP) == app]
    status, template = live.get("status", {}), live["spec"]["template"]
    ready = status.get("readyReplicas", 0)
    seen = status.get("observedGeneration", 0) >= live["metadata"].get("generation", 1)
    wanted = planned or live
    present = _template_hash(template) == _template_hash(wanted["spec"]["template"])
    current = _current(template, pods)
    late = _late(status) if kind == "Deployment" else _overdue(current, now)
    judged = live if seen else None
    return Component(
        part=part,
        exists=True,
        desired=wanted["spec"].get("replicas", 1),
        updated=status.get("updatedReplicas", 0),
        total=status.get("replicas", 0),
        ready=ready,
        available=status.get("availableReplicas", 0) if kind == "Deployment" else ready,
        observed=seen,
        leaving=_leaving(template, pods),
        late=present and seen and late,
        image=template["spec"]["containers"][0].get("image", ""),
        complaint=complaint(part, judged, current, now, observed.remarks) if present else None,
    )


def _current(template: Manifest, pods: list[Manifest]) -> list[Manifest]:
    return [pod for pod in pods if _template_hash(pod) == _template_hash(template)]


def _leaving(template: Manifest, pods: list[Manifest]) -> bool:
    current = _template_hash(template)
    return any(pod["metadata"].get("deletionTimestamp") and _template_hash(pod) != current for pod in pods)


def _template_hash(made: Manifest) -> str | None:
    value = made["metadata"].get("annotations", {}).get(naming.TEMPLATE_HASH)
    return None if value is None else str(value)


def _late(status: Manifest) -> bool:
    return any(
        condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded"
        for condition in status.get("conditions", ())
    )


def _overdue(pods: list[Manifest], now: datetime) -> bool:
    """Tell whether a pod has not been ready for as long as a Deployment may go without progress.

    A StatefulSet has no deadline of its own.
    """
    return any(
        ready.get("status") == "False" and older(ready.get("lastTransitionTime"), now, _DEADLINE)
        for pod in pods
        if (ready := condition(pod, "Ready") or condition(pod, "PodScheduled"))
    )
