"""Every condition and every reason it may give: the closed, documented list. Pure.

`lastTransitionTime` moves only when a condition's status flips; every condition carries the generation it
was judged on. Reasons are contract: people alert on them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from insight_operator.snapshot import Manifest


class ConditionType(StrEnum):
    """What may be asked of an InsightEngine."""

    READY = "Ready"
    """The present generation is rolled out, the API serves and workers consume."""
    AVAILABLE = "Available"
    """At least one API pod answers, whatever a rollout does."""
    RECONCILING = "Reconciling"
    """A change is being applied."""
    STALLED = "Stalled"
    """Nothing will change without a person or another spec."""
    DEGRADED = "Degraded"
    """It serves, with less than the spec asks for."""
    DATABASE_READY = "DatabaseReady"
    """The PostgreSQL accepts connections."""
    BROKER_READY = "BrokerReady"
    """The Redis accepts connections."""
    MIGRATIONS_APPLIED = "MigrationsApplied"
    """The database has the schema of this version."""
    API_AVAILABLE = "APIAvailable"
    """Every API pod that the spec asks for is available."""
    WORKERS_AVAILABLE = "WorkersAvailable"
    """Every worker pod that the spec asks for is available."""
    SUSPENDED = "Suspended"
    """The operator changes nothing, as the spec asks."""


class ReadyReason(StrEnum):
    """Why Ready is what it is."""

    ALL_COMPONENTS_READY = "AllComponentsReady"
    """True: nothing is missing."""
    ROLLING_OUT = "RollingOut"
    """Pods of this generation are not all available yet, or older ones are still there."""
    MIGRATING = "Migrating"
    """The migrate Job has not succeeded yet; the previous version serves."""
    DATABASE_UNREACHABLE = "DatabaseUnreachable"
    """The managed PostgreSQL is not ready."""
    BROKER_UNREACHABLE = "BrokerUnreachable"
    """The managed Redis is not ready."""
    API_UNAVAILABLE = "APIUnavailable"
    """No API pod is available."""
    WORKERS_UNAVAILABLE = "WorkersUnavailable"
    """No worker pod is available."""
    PLANNED = "Planned"
    """`spec.mode` is Plan and `Apply` would change something: see `.status.plan`."""
    WAITING_FOR_APPROVAL = "WaitingForApproval"
    """The changed spec restarts pods and waits for approval, as `spec.upgrade.strategy` asks."""
    SUSPENDED = "Suspended"
    """The spec is not rolled out and `spec.suspend` keeps it so."""
    STALLED = "Stalled"
    """See the condition Stalled."""


class AvailableReason(StrEnum):
    """Why Available is what it is."""

    MINIMUM_AVAILABLE = "MinimumAvailable"
    """True: an API pod answers."""
    NO_ENDPOINTS = "NoEndpoints"
    """No API pod is available."""
    DEPENDENCY_DOWN = "DependencyDown"
    """No API pod is available and the managed PostgreSQL is not ready."""


class ReconcilingReason(StrEnum):
    """What a change is waiting for."""

    APPLYING_SPEC = "ApplyingSpec"
    """Children are being written."""
    WAITING_FOR_DATABASE = "WaitingForDatabase"
    """The managed PostgreSQL is starting."""
    WAITING_FOR_MIGRATION = "WaitingForMigration"
    """The migrate Job is running."""
    WAITING_FOR_ROLLOUT = "WaitingForRollout"
    """Pods are being replaced."""
    WAITING_FOR_APPROVAL = "WaitingForApproval"
    """The changed spec restarts pods and `spec.upgrade.strategy` is Supervised: see `pendingRestart`."""
    SETTLED = "Settled"
    """False: no change is under way."""


class StalledReason(StrEnum):
    """What needs a person."""

    INVALID_SPEC = "InvalidSpec"
    """A field is malformed or contradicts another; what runs is left alone."""
    INVALID_REFERENCE = "InvalidReference"
    """A Secret is absent, not opted in, lacks a key, or was lost."""
    CONFLICT = "Conflict"
    """Somebody else's object stands under a child's name; it is left alone."""
    ROLLED_BACK = "RolledBack"
    """A Deployment was rolled back by hand; it is kept there until the spec changes its pods."""
    MIGRATION_FAILED = "MigrationFailed"
    """The migrate Job gave up; the previous version serves."""
    IMAGE_PULL_FAILED = "ImagePullFailed"
    """A node cannot pull an image."""
    QUOTA_EXCEEDED = "QuotaExceeded"
    """The namespace's ResourceQuota refuses a child or a pod."""
    FORBIDDEN = "Forbidden"
    """The operator's rights, a LimitRange or an admission policy refuse a child or a pod; tried again."""
    UNSUPPORTED_VERSION = "UnsupportedVersion"
    """A newer release migrated the database than the one the spec asks for; what runs is left alone."""
    PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
    """A rollout made no progress for ten minutes."""
    NOT_STALLED = "NotStalled"
    """False: nothing needs a person."""


class DegradedReason(StrEnum):
    """What is below the spec."""

    PARTIAL_API = "PartialAPI"
    """Some API pods are not available."""
    PARTIAL_WORKERS = "PartialWorkers"
    """Some worker pods are not available."""
    AT_SPEC = "AtSpec"
    """False: nothing is missing."""


class ComponentReason(StrEnum):
    """Why a component's own condition is what it is."""

    RUNNING = "Running"
    """True: all of it is available."""
    EXTERNAL = "External"
    """It is somebody else's; known to answer while the API is ready, unknown otherwise."""
    PARTIAL = "Partial"
    """Some of its pods are not available."""
    UNAVAILABLE = "Unavailable"
    """None of its pods is available."""
    ABSENT = "Absent"
    """It has not been made yet."""


class MigrationReason(StrEnum):
    """What became of the migrate Job."""

    SUCCEEDED = "Succeeded"
    """True."""
    PENDING = "Pending"
    """It runs, or waits for the database."""
    FAILED = "Failed"
    """It gave up; it is tried again every ten minutes, and at once for another spec."""


class SuspendedReason(StrEnum):
    """Whether the operator is to keep still."""

    REQUESTED = "Requested"
    """True: `spec.suspend` is set."""
    NOT_SUSPENDED = "NotSuspended"
    """False."""


_OF_ENGINE = (
    ComponentReason.RUNNING,
    ComponentReason.PARTIAL,
    ComponentReason.UNAVAILABLE,
    ComponentReason.ABSENT,
)
_OF_SERVER = (
    ComponentReason.RUNNING,
    ComponentReason.EXTERNAL,
    ComponentReason.UNAVAILABLE,
    ComponentReason.ABSENT,
)
REASONS: dict[ConditionType, tuple[StrEnum, ...]] = {
    ConditionType.READY: tuple(ReadyReason),
    ConditionType.AVAILABLE: tuple(AvailableReason),
    ConditionType.RECONCILING: tuple(ReconcilingReason),
    ConditionType.STALLED: tuple(StalledReason),
    ConditionType.DEGRADED: tuple(DegradedReason),
    ConditionType.DATABASE_READY: _OF_SERVER,
    ConditionType.BROKER_READY: _OF_SERVER,
    ConditionType.MIGRATIONS_APPLIED: tuple(MigrationReason),
    ConditionType.API_AVAILABLE: _OF_ENGINE,
    ConditionType.WORKERS_AVAILABLE: _OF_ENGINE,
    ConditionType.SUSPENDED: tuple(SuspendedReason),
}
"""Every reason that each condition may give, and no other."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A judgement, before it knows when it last flipped.

    Attributes:
        type: what was asked.
        status: the answer; None means that it cannot be known.
        reason: a member of the type's reasons.
        message: one sentence for people.
    """

    type: ConditionType
    status: bool | None
    reason: StrEnum
    message: str


def merged(
    previous: Iterable[Manifest], judged: Iterable[Condition], generation: int, now: datetime
) -> list[Manifest]:
    """Return the conditions to write; those that did not flip keep their time."""
    before = {condition["type"]: condition for condition in previous}
    return [_written(condition, before.get(condition.type.value), generation, now) for condition in judged]


def _written(condition: Condition, before: Manifest | None, generation: int, now: datetime) -> Manifest:
    status = {True: "True", False: "False", None: "Unknown"}[condition.status]
    since = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if before is not None and before.get("status") == status:
        since = before.get("lastTransitionTime", since)
    return {
        "type": condition.type.value,
        "status": status,
        "reason": condition.reason.value,
        "message": condition.message[:1024],
        "lastTransitionTime": since,
        "observedGeneration": generation,
    }
