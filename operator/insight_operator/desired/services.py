"""Builds the Services: the API's, and one for each managed component. Pure.

The metrics port 9090 is in none of them: it is asked pod by pod, inside the cluster.
"""

from insight_operator import naming
from insight_operator.desired.objects import owned
from insight_operator.snapshot import Manifest
from insight_operator.validate import ValidatedEngine


def api_service(engine: ValidatedEngine) -> Manifest:
    """Return the Service of the API."""
    return _service(engine, naming.API, "http", naming.HTTP_PORT)


def postgres_service(engine: ValidatedEngine) -> Manifest | None:
    """Return the Service of the managed PostgreSQL."""
    if engine.spec.database.managed is None:
        return None
    return _service(engine, naming.POSTGRES, naming.POSTGRES, naming.POSTGRES_PORT)


def redis_service(engine: ValidatedEngine) -> Manifest | None:
    """Return the Service of the managed Redis."""
    if engine.spec.broker.managed is None:
        return None
    return _service(engine, naming.REDIS, naming.REDIS, naming.REDIS_PORT)


def _service(engine: ValidatedEngine, part: str, port_name: str, port: int) -> Manifest:
    return owned(engine, "v1", "Service", part) | {
        "spec": {
            "type": "ClusterIP",
            "selector": naming.selector(engine, part),
            # By number: pods of a Deployment that is being taken over may have no port of that name.
            "ports": [{"name": port_name, "port": port, "protocol": "TCP", "targetPort": port}],
        }
    }
