"""The frame that every child shares: kind, name, labels, owner. Pure."""

from insight_operator import naming
from insight_operator.crd.models import DeletionPolicy
from insight_operator.snapshot import Manifest
from insight_operator.validate import ValidatedEngine


def owned(engine: ValidatedEngine, api_version: str, kind: str, part: str, name: str = "") -> Manifest:
    """Return an object without a body that lives and dies with its InsightEngine."""
    name = name or naming.child(engine, part)
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": engine.namespace,
            "labels": naming.labels(engine, part, name),
            "annotations": {},
            "ownerReferences": [naming.owner_reference(engine)],
        },
    }


def kept(engine: ValidatedEngine, api_version: str, kind: str, part: str, name: str = "") -> Manifest:
    """Return an object without a body that outlives its InsightEngine where the deletion policy says so."""
    manifest = owned(engine, api_version, kind, part, name)
    if engine.spec.deletion_policy is DeletionPolicy.RETAIN:
        metadata = manifest["metadata"]
        del metadata["ownerReferences"]
        metadata["labels"] |= naming.retained(engine)
        metadata["annotations"] |= naming.retained(engine)
    return manifest
