"""What may be written now and what may go: pure decisions of one pass over its plan and what was observed."""

import json
from collections.abc import Iterable, Sequence

from insight_operator import naming
from insight_operator.cluster import inventory, kinds, ownership
from insight_operator.crd.models import Mode
from insight_operator.snapshot import ChildKey, Manifest, Observed
from insight_operator.status.conditions import ReconcilingReason
from insight_operator.status.migration import migration
from insight_operator.validate import ValidatedEngine


def suspended(resource: Manifest) -> bool:
    """Tell whether the user asked that nothing be written but the status."""
    return bool(resource.get("spec", {}).get("suspend"))


def planning(resource: Manifest) -> bool:
    """Tell whether the user asked to be shown what would change, and that nothing be changed."""
    return bool(resource.get("spec", {}).get("mode") == Mode.PLAN)


def at_rest(status: Manifest) -> bool:
    """Tell whether nothing is under way: ready, stalled, suspended, or waiting for a person's word.

    What is degraded is not: why a pod does not come back may show only later, and as no event.
    """
    conditions = status.get("conditions", ())
    on = {item["type"]: item.get("reason") for item in conditions if item["status"] == "True"}
    if on.keys() & {"Ready", "Stalled", "Suspended"}:
        return "Degraded" not in on
    return on.get("Reconciling") == ReconcilingReason.WAITING_FOR_APPROVAL.value or "plan" in status


def is_open(stage: int, engine: ValidatedEngine, planned: Sequence[Manifest], observed: Observed) -> bool:
    """Tell whether a stage may be applied: the migrate Job needs a database, Deployments its success."""
    if stage < (kinds.JOB.stage or 0):
        return True
    if migrated(engine, planned, observed):
        return True
    return stage == kinds.JOB.stage and _database_ready(engine, planned, observed)


def orphans(engine: ValidatedEngine, planned: Sequence[Manifest], observed: Observed) -> list[Manifest]:
    """Return the children that no plan names any more and that may be deleted."""
    named = {(manifest["kind"], manifest["metadata"]["name"]) for manifest in planned}
    named.add((kinds.CONFIG_MAP.kind, naming.child(engine, inventory.PART)))
    return [
        live
        for key, live in observed.children.items()
        if key not in named
        and kinds.BY_KIND[live["kind"]].prunable
        and (ownership.controller(live) or {}).get("uid") == engine.uid
        and not live["metadata"].get("deletionTimestamp")
    ]


def unused(orphaned: Iterable[Manifest], templates: Iterable[Manifest]) -> list[Manifest]:
    """Leave out ConfigMaps that a ReplicaSet or pod still names: a rollback would need them."""
    text = json.dumps([template.get("spec", {}) for template in templates])
    return [
        orphan
        for orphan in orphaned
        if orphan["kind"] != kinds.CONFIG_MAP.kind or json.dumps(orphan["metadata"]["name"]) not in text
    ]


def migrated(engine: ValidatedEngine, planned: Sequence[Manifest], observed: Observed) -> bool:
    """Tell whether the database has the planned version's schema, the Job being there still or not."""
    previous = observed.resource.get("status") or {}
    return migration(engine, planned, observed, previous).outcome == "succeeded"


def proven(engine: ValidatedEngine, observed: Observed) -> frozenset[ChildKey]:
    """Return the children that are exactly as the last write of them left them."""
    stored = observed.children.get((kinds.CONFIG_MAP.kind, naming.child(engine, inventory.PART)))
    proofs = inventory.Inventory(stored)
    return frozenset(key for key, live in observed.children.items() if proofs.knows(live))


def _database_ready(engine: ValidatedEngine, planned: Sequence[Manifest], observed: Observed) -> bool:
    key = (kinds.STATEFUL_SET.kind, naming.child(engine, naming.POSTGRES))
    wanted = next((item for item in planned if (item["kind"], item["metadata"]["name"]) == key), None)
    if wanted is None:
        return True
    live = observed.children.get(key)
    if live is None:
        return False
    status = live.get("status", {})
    current = status.get("observedGeneration") == live["metadata"].get("generation")
    return bool(current and status.get("readyReplicas", 0) >= wanted["spec"]["replicas"])
