"""From what one pass observed to the whole `.status`. Pure: the time is an argument.

Nothing here ticks: the same world gives the same status, so that a quiet world is never written to.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from insight_operator import naming
from insight_operator.desired.pinning import Pending
from insight_operator.desired.plan import key, plan
from insight_operator.desired.revisions import Held
from insight_operator.errors import OperatorError
from insight_operator.images import version
from insight_operator.snapshot import Change, Manifest, Observed
from insight_operator.status.components import STATUS_NAMES, WORKLOADS, Component, component
from insight_operator.status.conditions import (
    AvailableReason,
    ComponentReason,
    Condition,
    ConditionType,
    DegradedReason,
    MigrationReason,
    ReadyReason,
    ReconcilingReason,
    StalledReason,
    SuspendedReason,
    merged,
)
from insight_operator.status.migration import Migration, migration, trouble
from insight_operator.status.verdict import Situation, Verdict, judge
from insight_operator.validate import ValidatedEngine

CHANGES_SHOWN = 64


def derive(
    engine: ValidatedEngine | None,
    error: OperatorError | None,
    observed: Observed,
    previous: Manifest,
    now: datetime,
    planned: Sequence[Manifest] | None = None,
    held: Sequence[Held] = (),
    changes: Sequence[Change] | None = None,
    pending: Sequence[Pending] = (),
) -> Manifest:
    """Return the whole `.status`.

    Args:
        engine: what is to be built; None when the resource was refused.
        error: why the pass ended early, if it did.
        observed: the resource, its children and pods after the pass's writes.
        previous: the `.status` as last written, for what must outlive a pass.
        now: the time of this pass; lastTransitionTime of a condition that flips.
        planned: the plan of `engine` where the caller has it already.
        held: the Deployments that a person rolled back.
        changes: what would be changed, where that is only to be shown.
        pending: the components whose restart waits.
    """
    generation = observed.resource["metadata"].get("generation", 1)
    if engine is not None and planned is None:
        planned = plan(engine)
    situation = _situation(engine, error, observed, previous, now, planned or (), held)
    situation = replace(situation, changes=tuple(changes or ()), pending=tuple(pending))
    verdict = judge(situation)
    judged = [*_verdict_conditions(verdict), *_component_conditions(situation)]
    status: Manifest = {
        "observedGeneration": generation,
        "conditions": merged(previous.get("conditions", ()), judged, generation, now),
        "components": {STATUS_NAMES[part.part]: part.manifest() for part in situation.parts if part.exists},
        "replicas": situation.worker.total,
        "selector": _selector(observed),
        "operatorVersion": naming.operator_version(),
    }
    if verdict.ready is ReadyReason.ALL_COMPONENTS_READY or situation.settled_before:
        status["rolledOutGeneration"] = generation
    if changes is not None:
        status["plan"] = {"changes": [_change(change) for change in changes[:CHANGES_SHOWN]]}
    if pending:
        status["pendingRestart"] = [_waiting(one) for one in pending]
    elif engine is None and "pendingRestart" in previous:
        status["pendingRestart"] = previous["pendingRestart"]
    return status | _engine_fields(engine, situation, previous, planned or ())


def _waiting(pending: Pending) -> Manifest:
    return {
        "component": STATUS_NAMES[pending.part],
        "revision": pending.revision,
        "reason": pending.reason.value,
        "message": pending.message[:1024],
    }


def _change(change: Change) -> Manifest:
    made: Manifest = {"object": change.object, "action": change.action}
    if change.fields:
        made["fields"] = [field[:256] for field in change.fields]
    if change.action == "change":
        made["restartsPods"] = change.restarts_pods
    return made | ({"message": change.message} if change.message else {})


def _engine_fields(
    engine: ValidatedEngine | None, situation: Situation, previous: Manifest, planned: Sequence[Manifest]
) -> Manifest:
    """Return what only a valid spec can tell; a refused one leaves it as it was."""
    if engine is None or situation.migration is None:
        return {name: previous[name] for name in ("version", "url", "migration") if name in previous}
    return {
        "version": _version(engine, planned),
        "url": f"http://{naming.child(engine, naming.API)}.{engine.namespace}.svc:{naming.HTTP_PORT}",
        "migration": situation.migration.manifest(),
    }


def _version(engine: ValidatedEngine, planned: Sequence[Manifest]) -> str:
    """Return the version of the image that the API is to run: a pinned one runs an earlier operator's."""
    wanted = ("Deployment", naming.child(engine, naming.API))
    api = next(manifest for manifest in planned if key(manifest) == wanted)
    return version(api["spec"]["template"]["spec"]["containers"][0]["image"])


def _selector(observed: Observed) -> str:
    return f"{naming.APP}={naming.child_of(observed.resource['metadata']['name'], naming.WORKER)}"


def _situation(
    engine: ValidatedEngine | None,
    error: OperatorError | None,
    observed: Observed,
    previous: Manifest,
    now: datetime,
    planned: Sequence[Manifest],
    held: Sequence[Held],
) -> Situation:
    name = observed.resource["metadata"]["name"]
    wanted = {key(manifest): manifest for manifest in planned}
    api, worker, database, broker = (
        component(part, name, observed, now, wanted.get((WORKLOADS[part], naming.child_of(name, part))))
        for part in (naming.API, naming.WORKER, naming.POSTGRES, naming.REDIS)
    )
    migrated = migration(engine, planned, observed, previous) if engine else None
    return Situation(
        error=error,
        suspended=bool(observed.resource.get("spec", {}).get("suspend")),
        applied=engine is not None and _applied(planned, observed),
        held=tuple(held),
        settled_before=_was_ready(previous, observed.resource["metadata"].get("generation", 1)),
        migration=migrated,
        migrating=trouble(migrated, observed, now) if migrated else None,
        api=api,
        worker=worker,
        database=database if _managed("database", database, observed) else None,
        broker=broker if _managed("broker", broker, observed) else None,
    )


def _managed(field: str, found: Component, observed: Observed) -> bool:
    """Tell whether a component is the operator's: as it is there, or as even a refused spec says."""
    given = observed.resource.get("spec", {}).get(field)
    return found.exists or not (isinstance(given, dict) and given.get("external"))


def _applied(planned: Sequence[Manifest], observed: Observed) -> bool:
    return all(
        _hash(observed.children.get(key(manifest))) == _hash(manifest)
        for manifest in planned
        if manifest["kind"] != "Job"  # a Job's life is the migration's, and its TTL may have removed it
    )


def _hash(manifest: Manifest | None) -> str:
    annotations = (manifest or {}).get("metadata", {}).get("annotations") or {}
    return str(annotations.get(naming.DESIRED_HASH, "absent"))


def _was_ready(previous: Manifest, generation: int) -> bool:
    """Tell whether this generation was Ready once: what is lost after that is no rollout again."""
    return previous.get("rolledOutGeneration") == generation or any(
        condition["type"] == ConditionType.READY.value
        and condition["status"] == "True"
        and condition.get("observedGeneration") == generation
        for condition in previous.get("conditions", ())
    )


def _verdict_conditions(verdict: Verdict) -> Iterator[Condition]:
    ready = verdict.ready is ReadyReason.ALL_COMPONENTS_READY
    yield Condition(ConditionType.READY, ready, verdict.ready, verdict.message)
    yield Condition(
        ConditionType.RECONCILING,
        verdict.reconciling is not None,
        verdict.reconciling or ReconcilingReason.SETTLED,
        verdict.message if verdict.reconciling else "no change is under way",
    )
    yield Condition(
        ConditionType.STALLED,
        verdict.stalled is not None,
        verdict.stalled or StalledReason.NOT_STALLED,
        verdict.message if verdict.stalled else "nothing needs a person",
    )


def _component_conditions(situation: Situation) -> Iterator[Condition]:
    yield _available(situation)
    yield _degraded(situation)
    yield _component(ConditionType.DATABASE_READY, situation.database, situation.api)
    yield _component(ConditionType.BROKER_READY, situation.broker, situation.api)
    yield _migrated(situation.migration)
    yield _component(ConditionType.API_AVAILABLE, situation.api, situation.api)
    yield _component(ConditionType.WORKERS_AVAILABLE, situation.worker, situation.api)
    yield Condition(
        ConditionType.SUSPENDED,
        situation.suspended,
        SuspendedReason.REQUESTED if situation.suspended else SuspendedReason.NOT_SUSPENDED,
        "spec.suspend is set: nothing is changed" if situation.suspended else "changes are applied",
    )


def _available(situation: Situation) -> Condition:
    api = situation.api
    if api.up:
        reason, message = AvailableReason.MINIMUM_AVAILABLE, "the API answers"
    elif situation.database is not None and situation.database.exists and not situation.database.up:
        reason, message = AvailableReason.DEPENDENCY_DOWN, "the API waits for the managed PostgreSQL"
    else:
        reason, message = AvailableReason.NO_ENDPOINTS, _sentence(api, "no API pod is available")
    return Condition(ConditionType.AVAILABLE, api.up, reason, message)


def _degraded(situation: Situation) -> Condition:
    for part, reason in (
        (situation.worker, DegradedReason.PARTIAL_WORKERS),
        (situation.api, DegradedReason.PARTIAL_API),
    ):
        if situation.settled_before and part.up and not part.full:
            count = f"{part.available} of {part.desired} {part.part} pods available"
            return Condition(
                ConditionType.DEGRADED, status=True, reason=reason, message=_sentence(part, count)
            )
    return Condition(
        ConditionType.DEGRADED, status=False, reason=DegradedReason.AT_SPEC, message="nothing is missing"
    )


def _component(asked: ConditionType, part: Component | None, api: Component) -> Condition:
    if part is None:
        return Condition(asked, api.up or None, ComponentReason.EXTERNAL, "it is run by somebody else")
    reason = ComponentReason.RUNNING
    if not part.exists:
        reason = ComponentReason.ABSENT
    elif not part.full:
        reason = ComponentReason.PARTIAL if part.up else ComponentReason.UNAVAILABLE
    count = (
        f"{part.available} of {part.desired} pods available" if part.exists else "it has not been made yet"
    )
    return Condition(asked, part.full, reason, _sentence(part, count))


def _migrated(found: Migration | None) -> Condition:
    asked = ConditionType.MIGRATIONS_APPLIED
    if found is None:
        return Condition(asked, None, MigrationReason.PENDING, "unknown while the spec is refused")
    reason = {
        "succeeded": MigrationReason.SUCCEEDED,
        "failed": MigrationReason.FAILED,
        "pending": MigrationReason.PENDING,
    }[found.outcome]
    message = found.message or f"Job {found.job}: {found.outcome}"
    return Condition(asked, found.outcome == "succeeded", reason, message)


def _sentence(part: Component, otherwise: str) -> str:
    return part.complaint.message if part.complaint else otherwise
