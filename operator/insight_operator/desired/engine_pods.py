"""What the pods of the engine image have in common: image, environment, mounts. Pure.

The environment and the mounted folders are a contract with the engine's settings; a test compares the two.
"""

from typing import Any

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
