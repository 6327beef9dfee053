"""What became of the migrate Job, and whether it is done. Pure. A Job that its TTL removed stays done.

A failure is remembered until a Job of the same name succeeds, so that trying again does not look like
progress.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from insight_operator import naming
from insight_operator.snapshot import Manifest, Observed
from insight_operator.status.complaints import complaint
from insight_operator.status.containers import killed_for_memory, out_of_memory
from insight_operator.status.trouble import Complaint
from insight_operator.validate import ValidatedEngine

Outcome = Literal["pending", "succeeded", "failed"]
_JOB_LABEL = "batch.kubernetes.io/job-name"
_MESSAGE_LIMIT = 512


@dataclass(frozen=True, slots=True)
class Migration:
    """The outcome of the migrate Job that the present spec asks for.

    Attributes:
        job: the Job's name.
        outcome: `pending` until it succeeded or finally failed.
        revision: the schema revision it reported.
        message: why it failed, one scrubbed sentence.
        code: why it failed, in the engine's word.
        volume: uid of the managed PostgreSQL's claim, so that another volume is migrated again.
    """

    job: str
    outcome: Outcome
    revision: str = ""
    message: str = ""
    volume: str = ""
    code: str = ""

    def manifest(self) -> Manifest:
        """Return `.status.migration`."""
        made = {"job": self.job, "outcome": self.outcome, "revision": self.revision, "message": self.message}
        made |= {"volume": self.volume, "code": self.code}
        return {name: value for name, value in made.items() if value}


def migration(
    engine: ValidatedEngine, planned: Sequence[Manifest], observed: Observed, previous: Manifest
) -> Migration:
    """Return the outcome: Deployments wait for `succeeded`; a Job remembered as such need not exist."""
    name, volume = _planned(planned)["metadata"]["name"], _volume(engine, observed)
    remembered = _remembered(name, volume, previous, observed.resource["metadata"].get("generation", 1))
    if remembered.outcome == "succeeded":
        return remembered
    job = None if is_stale(engine, planned, observed) else observed.children.get(("Job", name))
    pods = pods_of(name, observed)
    said = _said(pods)
    if _ended(job, "Complete"):
        return Migration(name, "succeeded", revision=said.get("revision", ""), volume=volume)
    message = said.get("message", "") or remembered.message
    code = said.get("code", "") or remembered.code
    if _ended(job, "Failed"):
        message = message or _killed(pods) or _job_message(job)
        return Migration(name, "failed", message=message, volume=volume, code=code)
    return Migration(name, remembered.outcome, message=message, volume=volume, code=code)


def trouble(found: Migration, observed: Observed, now: datetime) -> Complaint | None:
    """Return what keeps the Job's pod from running, while it is waited for."""
    if found.outcome == "succeeded":
        return None
    job = observed.children.get(("Job", found.job))
    pods = pods_of(found.job, observed)
    running = None if _ended(job, "Failed") else job
    return complaint(naming.MIGRATE, running, pods, now, observed.remarks)


def pods_of(job: str, observed: Observed) -> list[Manifest]:
    """Return the pods of the Job of this name, those that ended included."""
    return [pod for pod in observed.pods if pod["metadata"].get("labels", {}).get(_JOB_LABEL) == job]


def is_stale(engine: ValidatedEngine, planned: Sequence[Manifest], observed: Observed) -> bool:
    """Tell whether the migrate Job must be made anew.

    It is when it is older than the volume, since what it did, it did to another one; and when it has not
    succeeded and its pods are to be others, since those of a Job cannot be changed.
    """
    wanted, claim = _planned(planned), _claim(engine, observed)
    job = observed.children.get(("Job", wanted["metadata"]["name"]))
    if job is None:
        return False
    unfit = is_unlike(wanted, job) and not _ended(job, "Complete")
    return unfit or (claim is not None and _made(job) < _made(claim))


def is_unlike(planned: Manifest, live: Manifest) -> bool:
    """Tell whether a migrate Job has other pods than planned."""
    return _template_hash(planned) != _template_hash(live)


def _planned(planned: Sequence[Manifest]) -> Manifest:
    return next(manifest for manifest in planned if manifest["kind"] == "Job")


def _template_hash(job: Manifest) -> str:
    annotations = job["spec"]["template"]["metadata"].get("annotations") or {}
    return str(annotations.get(naming.TEMPLATE_HASH, ""))


def _claim(engine: ValidatedEngine, observed: Observed) -> Manifest | None:
    if engine.spec.database.managed is None:
        return None
    return observed.children.get(("PersistentVolumeClaim", naming.claim(engine, naming.POSTGRES)))


def _volume(engine: ValidatedEngine, observed: Observed) -> str:
    return str((_claim(engine, observed) or {}).get("metadata", {}).get("uid", ""))


def _made(manifest: Manifest) -> str:
    return str(manifest["metadata"].get("creationTimestamp", ""))


def _remembered(name: str, volume: str, previous: Manifest, generation: int) -> Migration:
    stored = previous.get("migration", {})
    if (stored.get("job"), stored.get("volume", "")) != (name, volume):
        return Migration(name, "pending", volume=volume)
    told = {word: stored.get(word, "") for word in ("revision", "message", "code")}
    outcome = stored.get("outcome", "pending")
    if outcome == "failed" and previous.get("observedGeneration") != generation:
        outcome = "pending"  # another spec may have cured what it failed of
    return Migration(name, outcome, volume=volume, **told)


def _ended(job: Manifest | None, condition: str) -> bool:
    conditions = (job or {}).get("status", {}).get("conditions", ())
    return any(item["type"] == condition and item["status"] == "True" for item in conditions)


def _job_message(job: Manifest | None) -> str:
    for condition in (job or {}).get("status", {}).get("conditions", ()):
        if condition["type"] == "Failed":
            return str(condition.get("message", ""))
    return ""


def _killed(pods: Iterable[Manifest]) -> str:
    killed = (pod for pod in pods if killed_for_memory(pod))
    return next((out_of_memory(naming.MIGRATE, pod["metadata"]["name"]).message for pod in killed), "")


def _said(pods: Iterable[Manifest]) -> dict[str, str]:
    """Return what the latest pod to end wrote as its last word; nothing where that is not the agreed JSON."""
    words = sorted(
        (str(ended.get("finishedAt", "")), str(ended.get("message", "")))
        for pod in pods
        for container in pod.get("status", {}).get("containerStatuses", ())
        if (ended := container.get("state", {}).get("terminated"))
    )
    for _, text in reversed(words):
        try:
            word = json.loads(text)
        except ValueError:
            continue
        if isinstance(word, dict):
            return {str(key): str(value)[:_MESSAGE_LIMIT] for key, value in word.items()}
    return {}
