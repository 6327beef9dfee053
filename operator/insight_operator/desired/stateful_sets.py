"""The frame of a managed component: one pod, one volume, one Service. Pure."""

from insight_operator import naming
from insight_operator.desired.objects import owned
from insight_operator.snapshot import Manifest
from insight_operator.validate import ValidatedEngine

DATA = "data"
SERVER_UID = 999
"""The UID that the public PostgreSQL and Redis images agree on; initdb refuses one that /etc/passwd lacks."""
GRACE_S = 60


def stateful_set(engine: ValidatedEngine, part: str, template: Manifest) -> Manifest:
    """Return a StatefulSet of one pod."""
    return owned(engine, "apps/v1", "StatefulSet", part) | {
        "spec": {
            # OrderedReady never replaces a pod that never became ready: a corrected image would not help.
            "podManagementPolicy": "Parallel",
            "replicas": 1,
            "revisionHistoryLimit": 10,
            "selector": {"matchLabels": naming.selector(engine, part)},
            "serviceName": naming.child(engine, part),
            "template": template,
            "updateStrategy": {"type": "RollingUpdate"},
        }
    }


def data_volume(engine: ValidatedEngine, part: str) -> Manifest:
    """Return the volume that holds the component's data."""
    return {"name": DATA, "persistentVolumeClaim": {"claimName": naming.claim(engine, part)}}


def tcp_liveness(port: str) -> Manifest:
    """Return a liveness probe that only asks whether somebody listens: recovery may take its time."""
    return {
        "tcpSocket": {"port": port},
        "initialDelaySeconds": 30,
        "timeoutSeconds": 5,
        "periodSeconds": 10,
        "failureThreshold": 6,
    }


def exec_readiness(*command: str) -> Manifest:
    """Return a readiness probe that runs a command in the container."""
    return {
        "exec": {"command": list(command)},
        "initialDelaySeconds": 1,
        "timeoutSeconds": 5,
        "periodSeconds": 5,
        "failureThreshold": 2,
    }
