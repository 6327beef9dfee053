"""The ordered list of every child but Secrets. Pure; the order is the order of applying.

Accounts, configuration and volumes come first, then what the engine depends on, then its migration, then
the engine.
"""

from collections.abc import Callable

from insight_operator import naming
from insight_operator.desired.api_deployment import api_deployment
from insight_operator.desired.config_map import config_map
from insight_operator.desired.disruption_budgets import api_disruption_budget, worker_disruption_budget
from insight_operator.desired.migrate_job import migrate_job
from insight_operator.desired.postgres import postgres
from insight_operator.desired.redis import redis
from insight_operator.desired.service_accounts import service_accounts
from insight_operator.desired.services import api_service, postgres_service, redis_service
from insight_operator.desired.volume_claims import postgres_claim, redis_claim
from insight_operator.desired.worker_deployment import worker_deployment
from insight_operator.snapshot import ChildKey, Manifest
from insight_operator.validate import ValidatedEngine

BUILDERS: tuple[Callable[[ValidatedEngine], Manifest | None], ...] = (
    config_map,
    postgres_claim,
    redis_claim,
    postgres_service,
    redis_service,
    api_service,
    postgres,
    redis,
    api_disruption_budget,
    worker_disruption_budget,
    migrate_job,
    api_deployment,
    worker_deployment,
)


def plan(engine: ValidatedEngine) -> tuple[Manifest, ...]:
    """Return every child that must exist, in apply order, complete with owner, labels and desired hash."""
    built = [*service_accounts(engine), *(builder(engine) for builder in BUILDERS)]
    return tuple(_stamped(manifest) for manifest in built if manifest is not None)


def key(manifest: Manifest) -> ChildKey:
    """Return what a child is known by among its siblings."""
    return manifest["kind"], manifest["metadata"]["name"]


def _stamped(manifest: Manifest) -> Manifest:
    manifest["metadata"]["annotations"][naming.DESIRED_HASH] = naming.digest(manifest)
    return manifest
