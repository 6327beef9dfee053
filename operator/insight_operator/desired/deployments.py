"""The frame of a Deployment: how it rolls, what it selects, which migration it waits for. Pure."""

from insight_operator import naming
from insight_operator.desired.migrate_job import migrate_job_name
from insight_operator.desired.objects import owned
from insight_operator.snapshot import Manifest
from insight_operator.validate import ValidatedEngine

PROGRESS_DEADLINE_S = 600
REVISIONS_KEPT = 10


def deployment(engine: ValidatedEngine, part: str, replicas: int, template: Manifest) -> Manifest:
    """Return a Deployment that never goes below its size while it rolls."""
    manifest = owned(engine, "apps/v1", "Deployment", part)
    manifest["metadata"]["annotations"][naming.MIGRATE_JOB] = migrate_job_name(engine)
    manifest["spec"] = {
        "progressDeadlineSeconds": PROGRESS_DEADLINE_S,
        "replicas": replicas,
        "revisionHistoryLimit": REVISIONS_KEPT,
        "selector": {"matchLabels": naming.selector(engine, part)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": template,
    }
    return manifest
