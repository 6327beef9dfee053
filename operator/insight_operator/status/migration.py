"""What became of the migrate Job, and whether it is done. Pure. A Job that its TTL removed stays done.

A failure is remembered until a Job of the same name succeeds, so that trying again does not look like
progress.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from insight_operator import naming
from insight_operator.desired.migrate_job import migrate_job_name
from insight_operator.snapshot import Manifest, Observed
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
        volume: uid of the managed PostgreSQL's claim, so that another volume is migrated again.
    """

    job: str
    outcome: Outcome
    revision: str = ""
    message: str = ""
    volume: str = ""

    def manifest(self) -> Manifest:
        """Return `.status.migration`."""
        made = {"job": self.job, "outcome": self.outcome, "revision": self.revision, "message": self.message}
        made["volume"] = self.volume
        return {name: value for name, value in made.items() if value}


def migration(engine: ValidatedEngine, observed: Observed, previous: Manifest) -> Migration:
    """Return the outcome: Deployments wait for `succeeded`; a Job remembered as such need not exist."""
    name, volume = migrate_job_name(engine), _volume(engine, observed)
    remembered = _remembered(name, volume, previous)
    if remembered.outcome == "succeeded":
        return remembered
    job = None if is_stale(engine, observed) else observed.children.get(("Job", name))
    said = _said(pod for pod in observed.pods if pod["metadata"].get("labels", {}).get(_JOB_LABEL) == name)
    if _ended(job, "Complete"):
        return Migration(name, "succeeded", revision=said.get("revision", ""), volume=volume)
    message = said.get("message", "") or remembered.message
    if _ended(job, "Failed"):
        return Migration(name, "failed", message=message or _job_message(job), volume=volume)
    return Migration(name, remembered.outcome, message=message, volume=volume)


def is_stale(engine: ValidatedEngine, observed: Observed) -> bool:
    """Tell whether the migrate Job is older than the volume: what it did, it did to another one."""
    job = observed.children.get(("Job", migrate_job_name(engine)))
    claim = _claim(engine, observed)
    return _made(job) < _made(claim) if job and claim else False


def _claim(engine: ValidatedEngine, observed: Observed) -> Manifest | None:
    if engine.spec.database.managed is None:
        return None
    return observed.children.get(("PersistentVolumeClaim", naming.claim(engine, naming.POSTGRES)))


def _volume(engine: ValidatedEngine, observed: Observed) -> str:
    return str((_claim(engine, observed) or {}).get("metadata", {}).get("uid", ""))


def _made(manifest: Manifest) -> str:
    return str(manifest["metadata"].get("creationTimestamp", ""))


def _remembered(name: str, volume: str, previous: Manifest) -> Migration:
    stored = previous.get("migration", {})
    if (stored.get("job"), stored.get("volume", "")) != (name, volume):
        return Migration(name, "pending", volume=volume)
    revision, message = stored.get("revision", ""), stored.get("message", "")
    return Migration(name, stored.get("outcome", "pending"), revision, message, volume)


def _ended(job: Manifest | None, condition: str) -> bool:
    conditions = (job or {}).get("status", {}).get("conditions", ())
    return any(item["type"] == condition and item["status"] == "True" for item in conditions)


def _job_message(job: Manifest | None) -> str:
    for condition in (job or {}).get("status", {}).get("conditions", ()):
        if condition["type"] == "Failed":
            return str(condition.get("message", ""))
    return ""


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
