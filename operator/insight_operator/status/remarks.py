"""Which objects want explaining by Events, and what those say. Pure.

Most trouble shows in an object's status. What does not: why a StatefulSet or a Job has no pod, why a volume
is not bound or mounted, and what a probe said. Events are asked for only then, so a quiet or a healthy world
costs no request; and only the latest of an object counts, so that what was cured is not told again.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from insight_operator import naming
from insight_operator.snapshot import Manifest, Observed, Remark

PATIENCE = timedelta(seconds=15)
"""How long an object may take before Events are asked for why."""
PROBE_PATIENCE = timedelta(seconds=60)
"""How long a running container may take to become ready."""
ASKED_AT_MOST = 6

_CREATION = ("FailedCreate", "SuccessfulCreate")


def unexplained(observed: Observed, now: datetime) -> tuple[Manifest, ...]:
    """Return the objects of which Events may say what their status does not, few of them."""
    found = [*_without_pods(observed, now), *_unbound(observed, now), *_stuck(observed.pods, now)]
    return tuple(found[:ASKED_AT_MOST])


def last(remarks: Iterable[Remark], kind: str, name: str, reasons: Iterable[str]) -> Remark | None:
    """Return the latest remark on an object that gives one of these reasons."""
    wanted = {*reasons}
    found = [remark for remark in remarks if (remark.kind, remark.name) == (kind, name)]
    return next((remark for remark in reversed(found) if remark.reason in wanted), None)


def uncreated(remarks: Iterable[Remark], kind: str, name: str) -> str:
    """Return why the pods of a StatefulSet or Job cannot be created; empty when that is not so."""
    found = last(remarks, kind, name, _CREATION)
    return found.message if found and found.reason == "FailedCreate" else ""


def probe_answer(remarks: Iterable[Remark], pod: str, probe: str) -> str | None:
    """Return what a failing probe (`Readiness`, `Liveness`) met; None when no such probe failed.

    Only what the kubelet itself says is repeated: a command's output may hold anything.
    """
    start = f"{probe} probe failed"
    told = [remark for remark in remarks if (remark.kind, remark.name) == ("Pod", pod)]
    found = next((item for item in reversed(told) if item.message.startswith(start)), None)
    if found is None or found.reason != "Unhealthy":
        return None
    if code := re.search(r"HTTP probe failed with statuscode: (\d{3})", found.message):
        return f"it answers {code[1]}"
    if "connection refused" in found.message:
        return "nothing listens on its port"
    late = any(word in found.message for word in ("deadline exceeded", "i/o timeout", "timed out"))
    return "it does not answer in time" if late else ""


def older(since: object, now: datetime, than: timedelta) -> bool:
    """Tell whether a time of an object's, absent perhaps, lies further back than that."""
    return isinstance(since, str) and now - datetime.fromisoformat(since) > than


def condition(manifest: Manifest, kind: str) -> Manifest:
    """Return a condition of an object; an empty one when it has none of that type."""
    conditions = manifest.get("status", {}).get("conditions") or ()
    return next((dict(found) for found in conditions if found["type"] == kind), {})


def _without_pods(observed: Observed, now: datetime) -> Iterator[Manifest]:
    for (kind, _), child in sorted(observed.children.items()):
        spec, status = child.get("spec", {}), child.get("status", {})
        if kind == "StatefulSet":
            seen = status.get("observedGeneration", 0) >= child["metadata"].get("generation", 1)
            lacking = seen and status.get("replicas", 0) < spec.get("replicas", 1)
        else:
            ended = any(condition(child, end).get("status") == "True" for end in ("Complete", "Failed"))
            lacking = kind == "Job" and not ended and not status.get("active")
        if lacking and _old(child, now, PATIENCE):
            yield child


def _unbound(observed: Observed, now: datetime) -> Iterator[Manifest]:
    for (kind, _), child in sorted(observed.children.items()):
        pending = child.get("status", {}).get("phase") == "Pending"
        if kind == "PersistentVolumeClaim" and pending and _old(child, now, PATIENCE):
            yield child


def _stuck(pods: Iterable[Manifest], now: datetime) -> Iterator[Manifest]:
    """Yield the first pod of each template that hangs after it was scheduled: the one that is spoken of."""
    first: dict[tuple[object, object], Manifest] = {}
    for pod in sorted(pods, key=lambda pod: str(pod["metadata"]["name"])):
        metadata = pod["metadata"]
        template = (metadata.get("annotations") or {}).get(naming.TEMPLATE_HASH)
        if _hangs(pod, now):
            first.setdefault((metadata.get("labels", {}).get(naming.APP), template), pod)
    yield from first.values()


def _hangs(pod: Manifest, now: datetime) -> bool:
    status = pod.get("status", {})
    if pod["metadata"].get("deletionTimestamp") or status.get("phase") not in {"Pending", "Running"}:
        return False
    unscheduled = condition(pod, "PodScheduled").get("status") == "False"
    if unscheduled or condition(pod, "Ready").get("status") == "True":
        return False
    if status["phase"] == "Pending":
        return _old(pod, now, PATIENCE)
    return any(_restarted_or_late(container, now) for container in status.get("containerStatuses", ()))


def _restarted_or_late(container: Manifest, now: datetime) -> bool:
    started = container.get("state", {}).get("running", {}).get("startedAt")
    late = bool(container.get("restartCount")) or older(started, now, PROBE_PATIENCE)
    return not container.get("ready") and late


def _old(manifest: Manifest, now: datetime, than: timedelta) -> bool:
    return older(manifest["metadata"].get("creationTimestamp"), now, than)
