"""Whether an InsightEngine is ready, and if not, what it waits for or who must act. Pure.

The one place where the order of questions is written down: refused, then suspended, then what the engine
needs, then what stands in the way of the rollout, then the rollout, then whether what is rolled out still
serves.
"""

from dataclasses import dataclass

from insight_operator.desired.pinning import Pending, Waiting
from insight_operator.desired.revisions import Held
from insight_operator.errors import OperatorError
from insight_operator.snapshot import Change
from insight_operator.status.components import STATUS_NAMES, Component
from insight_operator.status.conditions import ReadyReason, ReconcilingReason, StalledReason
from insight_operator.status.migration import Migration
from insight_operator.status.trouble import Complaint, Trouble

_STALLING = {
    Trouble.IMAGE: StalledReason.IMAGE_PULL_FAILED,
    Trouble.QUOTA: StalledReason.QUOTA_EXCEEDED,
    Trouble.REFUSED: StalledReason.FORBIDDEN,
}
SCHEMA_NEWER = "schema_newer"
"""The engine's word for a database whose schema a newer release made."""


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything the verdict depends on.

    Attributes:
        error: why the pass ended early, if it did.
        suspended: whether the spec asks the operator to keep still.
        applied: whether every child stands as planned.
        held: the Deployments that a person rolled back.
        settled_before: whether this generation has been Ready before.
        migration: the migrate Job's outcome; None when there is no valid spec.
        api: the API.
        worker: the workers.
        database: the managed PostgreSQL; None when it is external.
        broker: the managed Redis; None when it is external.
        changes: what waits for `spec.mode: Apply`.
        migrating: what keeps the migrate Job's pod from running.
        pending: the components whose restart waits.
    """

    error: OperatorError | None
    suspended: bool
    applied: bool
    held: tuple[Held, ...]
    settled_before: bool
    migration: Migration | None
    api: Component
    worker: Component
    database: Component | None
    broker: Component | None
    changes: tuple[Change, ...] = ()
    migrating: Complaint | None = None
    pending: tuple[Pending, ...] = ()

    @property
    def parts(self) -> tuple[Component, ...]:
        """The components that the operator runs."""
        return tuple(part for part in (self.database, self.broker, self.api, self.worker) if part is not None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the three conditions of kstatus say.

    Attributes:
        ready: reason of Ready; True only for ALL_COMPONENTS_READY.
        message: the sentence of whichever condition matters.
        reconciling: what is waited for; None when nothing is under way.
        stalled: who or what must act; None when nobody must.
    """

    ready: ReadyReason
    message: str
    reconciling: ReconcilingReason | None = None
    stalled: StalledReason | None = None


def judge(situation: Situation) -> Verdict:
    """Return the first verdict that applies."""
    verdict = _refused(situation) or _planned(situation)
    if verdict is not None:
        return verdict
    verdict = _dependency(situation) or _migration(situation) or _rollout(situation)
    verdict = verdict or _rolled_back(situation) or _supervised(situation)
    if verdict is None:
        return _steady(situation)
    if situation.suspended and verdict.reconciling is not None:
        return Verdict(
            ReadyReason.SUSPENDED, "spec.suspend is set and the spec is not rolled out: nothing is changed"
        )
    return verdict


def _refused(situation: Situation) -> Verdict | None:
    if situation.error is not None:
        return _stalled(StalledReason(situation.error.reason), str(situation.error))
    for part in situation.parts:
        reason = _STALLING.get(part.complaint.trouble) if part.complaint else None
        if reason and not part.full:
            return _stalled(reason, _told(part, ""))
    return None


def _planned(situation: Situation) -> Verdict | None:
    if not situation.changes:
        return None
    restarts = [change.object for change in situation.changes if change.restarts_pods]
    message = f"spec.mode is Plan and {len(situation.changes)} changes wait (see .status.plan)"
    message += f", restarting the pods of {', '.join(restarts)}" if restarts else ", restarting no pod"
    return Verdict(ReadyReason.PLANNED, f"{message}: set spec.mode to Apply to make them")


def _dependency(situation: Situation) -> Verdict | None:
    for part, reason, called in (
        (situation.database, ReadyReason.DATABASE_UNREACHABLE, "PostgreSQL"),
        (situation.broker, ReadyReason.BROKER_UNREACHABLE, "Redis"),
    ):
        if part is None or part.full:
            continue
        # Redis is waited for by nothing, so it holds a change up only by its own rollout.
        waiting = (
            ReconcilingReason.WAITING_FOR_DATABASE
            if part is situation.database
            else ReconcilingReason.WAITING_FOR_ROLLOUT
        )
        under_way = not situation.applied or not situation.settled_before
        if under_way and part.late:
            return _late(part)
        return Verdict(
            reason,
            _told(part, f"the managed {called} is not ready"),
            (waiting if part.exists else ReconcilingReason.APPLYING_SPEC) if under_way else None,
        )
    return None


def _migration(situation: Situation) -> Verdict | None:
    migration = situation.migration
    if migration is None or migration.outcome == "succeeded":
        return None
    if migration.outcome == "failed":
        cause = migration.message or f"see kubectl logs job/{migration.job}"
        newer = migration.code == SCHEMA_NEWER
        reason = StalledReason.UNSUPPORTED_VERSION if newer else StalledReason.MIGRATION_FAILED
        return _stalled(reason, f"migrate: Job {migration.job} failed: {cause}")
    hindrance = situation.migrating
    if hindrance and hindrance.trouble in _STALLING:
        return _stalled(_STALLING[hindrance.trouble], f"migrate: {hindrance.message}")
    message = f"Job {migration.job} brings the database to this version's schema"
    if hindrance:
        message += f"; {hindrance.message}"
    elif migration.message:
        message += f"; last try: {migration.message}"
    return Verdict(ReadyReason.MIGRATING, message, ReconcilingReason.WAITING_FOR_MIGRATION)


def _rollout(situation: Situation) -> Verdict | None:
    if not situation.applied:
        return Verdict(ReadyReason.ROLLING_OUT, "the spec is being applied", ReconcilingReason.APPLYING_SPEC)
    for part in situation.parts:
        if part.late and not part.complete:
            return _late(part)
    for part in situation.parts:
        if part.complete or (situation.settled_before and part.uniform):
            continue
        message = f"{part.called}: {part.available} of {part.desired} pods available, {part.updated} updated"
        if part.uniform is False and part.full and part.updated >= part.desired:
            message += ", older pods are ending"
        if part.complaint:
            message += f"; {part.complaint.message}"
        return Verdict(ReadyReason.ROLLING_OUT, message, ReconcilingReason.WAITING_FOR_ROLLOUT)
    return None


def _rolled_back(situation: Situation) -> Verdict | None:
    if not situation.held:
        return None
    held = situation.held[0]
    return _stalled(
        StalledReason.ROLLED_BACK,
        f"Deployment {held.deployment} was rolled back by hand from revision {held.newest} to "
        f"{held.revision} and is kept there: change the spec, or run "
        f"kubectl rollout undo deployment/{held.deployment} again to go forward",
    )


def _supervised(situation: Situation) -> Verdict | None:
    for waiting in situation.pending:
        if waiting.reason is Waiting.SPEC_CHANGED:
            return Verdict(
                ReadyReason.WAITING_FOR_APPROVAL,
                f"{STATUS_NAMES[waiting.part]}: {waiting.message}",
                ReconcilingReason.WAITING_FOR_APPROVAL,
            )
    return None


def _steady(situation: Situation) -> Verdict:
    for part, reason, called in (
        (situation.api, ReadyReason.API_UNAVAILABLE, "API"),
        (situation.worker, ReadyReason.WORKERS_UNAVAILABLE, "worker"),
    ):
        if not part.up:
            return Verdict(reason, _told(part, f"no {called} pod is available"))
    return Verdict(ReadyReason.ALL_COMPONENTS_READY, "every component runs as the spec asks")


def _late(part: Component) -> Verdict:
    message = _told(part, f"{part.called}: no progress in time; see kubectl describe of its pods")
    return _stalled(StalledReason.PROGRESS_DEADLINE_EXCEEDED, message)


def _told(part: Component, otherwise: str) -> str:
    """Return the sentence of whichever component it is about, with its name."""
    return f"{part.called}: {part.complaint.message}" if part.complaint else otherwise


def _stalled(reason: StalledReason, message: str) -> Verdict:
    return Verdict(ReadyReason.STALLED, message, stalled=reason)
