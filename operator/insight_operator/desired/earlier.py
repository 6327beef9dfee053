"""What an operator that recorded no causes left behind: upgrading from it restarts nothing either. Pure.

It recorded the pods of Deployments only, and neither ConfigMaps nor the migrate Job. What runs came from the
present spec if the status says that this generation had been taken up and nothing kept it from being applied.
"""

import copy
from collections.abc import Sequence
from dataclasses import replace

from insight_operator import naming
from insight_operator.desired.records import Record, fingerprint, rendering, unmarked
from insight_operator.snapshot import Manifest, Observed

# Reasons of Reconciling and Stalled while the present generation had not reached the pods.
_UNAPPLIED = frozenset(
    {
        "ApplyingSpec",
        "WaitingForApproval",
        "InvalidSpec",
        "InvalidReference",
        "Conflict",
        "QuotaExceeded",
        "Forbidden",
    }
)


def read_off(live: Manifest) -> Record:
    """Return the rendering of a live workload that nobody touched since it was applied."""
    template = unmarked(live["spec"]["template"])
    template["metadata"].pop("creationTimestamp", None)
    return Record("", 0, rendering(live), fingerprint(live), "", template)


def completed(
    base: Record, part: str, rendered: Sequence[Manifest], observed: Observed, cause: str
) -> Record:
    """Return a record that lacks its cause with it, and for the API with the migrate Job it went with.

    The cause stays empty, which is no other's, when what runs did not come from the present spec.
    """
    if not _applied(rendered, observed):
        return base
    job = base.job
    if part == naming.API and job is None:
        job = _job(base, rendered, observed)
    return replace(base, cause=cause, job=job)


def _applied(rendered: Sequence[Manifest], observed: Observed) -> bool:
    metadata, status = observed.resource["metadata"], observed.resource.get("status") or {}
    reasons = {item["reason"] for item in status.get("conditions", ()) if item["status"] == "True"}
    if status.get("observedGeneration") != metadata.get("generation", 1) or reasons & _UNAPPLIED:
        return False
    waiting = [item for item in rendered if naming.MIGRATE_JOB in item["metadata"]["annotations"]]
    live = [observed.children.get((item["kind"], item["metadata"]["name"])) for item in waiting]
    # A migration that the status tells of and the Deployments do not wait for was still to come.
    named = {item["metadata"].get("annotations", {}).get(naming.MIGRATE_JOB) for item in live if item}
    return named <= {status.get("migration", {}).get("job")}


def _job(base: Record, rendered: Sequence[Manifest], observed: Observed) -> Manifest | None:
    """Return the Job by the name it had, so that it counts as done, running the recorded image."""
    name = observed.resource.get("status", {}).get("migration", {}).get("job")
    if not name:
        return None
    spec = copy.deepcopy(next(item["spec"] for item in rendered if item["kind"] == "Job"))
    spec["template"]["spec"]["containers"][0]["image"] = base.template["spec"]["containers"][0]["image"]
    notes = spec["template"]["metadata"]["annotations"]
    del notes[naming.TEMPLATE_HASH]
    notes[naming.TEMPLATE_HASH] = naming.digest(spec["template"])
    return {"name": name, "spec": spec}
