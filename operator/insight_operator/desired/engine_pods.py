"""What the pods of the engine image have in common: image, environment, mounts. Pure.

The environment and the mounted folders are a contract with the engine's settings; a test compares the two.
"""

from typing import Any

from insight_operator.crd.base import seconds
from insight_operator.desired import pods
from insight_operator.snapshot import Manifest
from insight_operator.validate import ValidatedEngine

TMP = "tmp"
TMP_FOLDER = "/tmp"  # noqa: S108 - a mount of its own, not the node's


def common_environment(engine: ValidatedEngine, log_level: str) -> dict[str, str]:
    """Return what every engine command is told."""
    return {"INSIGHT_INSTANCE": engine.name, "INSIGHT_LOG_LEVEL": log_level}


def extra_environment(engine: ValidatedEngine) -> dict[str, str]:
    """Return the variables the spec adds."""
    return {variable.name: variable.value for variable in engine.spec.pods.extra_env}


def sources_environment() -> dict[str, str]:
    """Return where the list of data sources lies."""
    return {"INSIGHT_SOURCES_FILE": f"{pods.CONFIG_FOLDER}/{pods.SOURCES_FILE}"}


def results_environment(engine: ValidatedEngine) -> dict[str, str]:
    """Return where results are kept and for how long."""
    results = engine.spec.results
    return {
        "INSIGHT_RESULT_STORE": "s3" if results.s3 else "database",
        "INSIGHT_RESULT_TTL_S": str(seconds(results.ttl)),
        "INSIGHT_HISTORY_DAYS": str(results.history_days),
    }


def results_sets(engine: ValidatedEngine) -> dict[str, str]:
    """Return the secret set of the store of results and the Secret it comes from; none for the database."""
    store = engine.spec.results.s3
    return {"results": store.secret_ref.name} if store else {}


def container(engine: ValidatedEngine, name: str, command: str, uid: int, **body: Any) -> Manifest:
    """Return a container that runs one engine command."""
    return {
        "name": name,
        "image": engine.image,
        "imagePullPolicy": engine.spec.image.pull_policy.value,
        "command": ["insight-engine", command],
        "securityContext": pods.container_security(uid),
        **body,
    }
