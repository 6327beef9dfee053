"""An InsightEngine with everything that exists of it, all well: tests spoil it and ask for its status."""

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

from insight_operator import naming
from insight_operator.crd.status import EngineStatus
from insight_operator.desired.pinning import Pending
from insight_operator.desired.plan import key, plan
from insight_operator.desired.revisions import Held
from insight_operator.errors import OperatorError
from insight_operator.snapshot import Change, ChildKey, Manifest, Observed, Remark
from insight_operator.status.derive import derive
from support.manifests import resource, validated

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
T1 = T0 + timedelta(minutes=1)
API: ChildKey = ("Deployment", "vanna-api")
WORKER: ChildKey = ("Deployment", "vanna-worker")
POSTGRES: ChildKey = ("StatefulSet", "vanna-postgres")
REDIS: ChildKey = ("StatefulSet", "vanna-redis")
JOB: ChildKey = next(key(item) for item in plan(validated()) if item["kind"] == "Job")
JOB_LABEL = "batch.kubernetes.io/job-name"


class World:
    """An InsightEngine with all its children well; tests spoil it."""

    def __init__(self, spec: Manifest | None = None, **metadata: Any) -> None:
        self.resource = resource(spec, **metadata)
        self.engine = validated(spec, **metadata)
        self.children = {key(item): copy.deepcopy(item) for item in plan(self.engine)}
        self.pods: list[Manifest] = []
        self.remarks: tuple[Remark, ...] = ()
        for child in self.children.values():
            child["metadata"]["generation"] = 1
            if "replicas" in child.get("spec", {}):
                self.count(key(child), child["spec"]["replicas"])
            if child["kind"] == "Job":
                child["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}

    def count(self, child: ChildKey, available: int, **more: int) -> None:
        """Set a workload's counts."""
        desired = self.children[child]["spec"]["replicas"]
        counts = {"replicas": desired, "updatedReplicas": desired, "observedGeneration": 1} | more
        self.children[child]["status"] = counts | {"readyReplicas": available, "availableReplicas": available}

    def pod(self, part: str, **status: Any) -> Manifest:
        """Add a pod of a component."""
        labels = {naming.APP: f"vanna-{part}"}
        pod = {"metadata": {"name": f"vanna-{part}-x", "labels": labels}, "status": status}
        self.pods.append(pod)
        return pod

    def current_pod(self, child: ChildKey, **status: Any) -> Manifest:
        """Add a pod of a workload's present template."""
        pod = self.pod(child[1].removeprefix("vanna-"), **status)
        template = self.children[child]["spec"]["template"]
        pod["metadata"]["annotations"] = dict(template["metadata"]["annotations"])
        return pod

    def stuck(self, child: ChildKey, **container: Any) -> None:
        """Let a workload have no available pod, and one whose container has this status."""
        self.count(child, 0)
        told = {"name": child[1].removeprefix("vanna-"), "ready": False, "restartCount": 3} | container
        self.current_pod(child, phase="Running", containerStatuses=[told])

    def status(
        self,
        previous: Manifest | None = None,
        now: datetime = T0,
        error: OperatorError | None = None,
        held: tuple[Held, ...] = (),
        changes: tuple[Change, ...] | None = None,
        pending: tuple[Pending, ...] = (),
    ) -> Manifest:
        """Derive the status."""
        observed = Observed(self.resource, self.children, tuple(self.pods), {}, self.remarks)
        engine = None if error and error.reason == "InvalidSpec" else self.engine
        made = derive(
            engine, error, observed, previous or {}, now, held=held, changes=changes, pending=pending
        )
        EngineStatus.model_validate(made, extra="forbid")
        return made


def condition(status: Manifest, kind: str) -> Manifest:
    """Return one condition."""
    return next(dict(item) for item in status["conditions"] if item["type"] == kind)


def answers(status: Manifest) -> dict[str, tuple[str, str]]:
    """Return status and reason of every condition."""
    return {item["type"]: (item["status"], item["reason"]) for item in status["conditions"]}
