"""Builds the PersistentVolumeClaims of the managed components. Pure.

They are children of their own instead of a StatefulSet's templates, which could never change again: so a
volume can grow, and whether it outlives its InsightEngine can be decided later.
"""

from insight_operator import naming
from insight_operator.crd.models import Storage
from insight_operator.desired.objects import kept
from insight_operator.snapshot import Manifest
from insight_operator.validate import ValidatedEngine


def postgres_claim(engine: ValidatedEngine) -> Manifest | None:
    """Return the claim of the managed PostgreSQL."""
    managed = engine.spec.database.managed
    return _claim(engine, naming.POSTGRES, managed.storage) if managed else None


def redis_claim(engine: ValidatedEngine) -> Manifest | None:
    """Return the claim of the managed Redis."""
    managed = engine.spec.broker.managed
    return _claim(engine, naming.REDIS, managed.storage) if managed else None


def _claim(engine: ValidatedEngine, part: str, storage: Storage) -> Manifest:
    spec: Manifest = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": storage.size}},
    }
    if storage.storage_class_name:
        spec["storageClassName"] = storage.storage_class_name
    return kept(engine, "v1", "PersistentVolumeClaim", part, naming.claim(engine, part)) | {"spec": spec}
