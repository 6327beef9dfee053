"""Builds one ServiceAccount per role; none of them carries a token or a right. Pure."""

from insight_operator import naming
from insight_operator.desired.objects import owned
from insight_operator.snapshot import Manifest
from insight_operator.validate import ValidatedEngine


def service_accounts(engine: ValidatedEngine) -> tuple[Manifest, ...]:
    """Return the ServiceAccounts of the components that exist."""
    parts = [naming.API, naming.WORKER, naming.MIGRATE]
    if engine.spec.database.managed:
        parts.append(naming.POSTGRES)
    if engine.spec.broker.managed:
        parts.append(naming.REDIS)
    return tuple(
        owned(engine, "v1", "ServiceAccount", part) | {"automountServiceAccountToken": False}
        for part in parts
    )
