"""What of an InsightEngine's spec could have caused the pods it runs, as a digest per group of them. Pure.

Only what the user gave counts: defaults, the operator's settings and its way of rendering do not. So the same
cause with another rendering means that only the operator changed. Defaults are frozen once released and are
left out, so that a field which a later release adds changes no digest.
"""

from typing import Any

from insight_operator import naming
from insight_operator.validate import ValidatedEngine

ENGINE = "engine"
GROUPS: dict[str, tuple[str, ...]] = {
    ENGINE: (naming.API, naming.WORKER),
    naming.POSTGRES: (naming.POSTGRES,),
    naming.REDIS: (naming.REDIS,),
}
"""Components that are let go together: an API and workers of two versions never run side by side for long."""

# What a section of the spec says to its group's pods; `-` takes out again what restarts none.
_SECTIONS: dict[str, tuple[str, ...]] = {
    ENGINE: (
        "api",
        "-api.replicas",
        "-api.disruptionBudget",
        "auth",
        "broker.external",
        "dataSources",
        "database.external",
        "image",
        "pods",
        "results",
        "scheduling",
        "workers",
        "-workers.replicas",
        "-workers.disruptionBudget",
    ),
    naming.POSTGRES: ("database.managed", "-database.managed.storage", "image.pullSecrets", "scheduling"),
    naming.REDIS: ("broker.managed", "-broker.managed.storage", "image.pullSecrets", "scheduling"),
}


def cause(engine: ValidatedEngine, group: str) -> str:
    """Return the digest of what could have caused the pods of a group."""
    given = engine.spec.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    made: dict[str, Any] = {}
    for section in _SECTIONS[group]:
        *parents, leaf = section.removeprefix("-").split(".")
        if section.startswith("-"):
            _without(made, parents, leaf)
        else:
            _copy(given, made, parents, leaf)
    return naming.digest(_pruned(made))


def _copy(source: dict[str, Any], target: dict[str, Any], parents: list[str], leaf: str) -> None:
    for parent in parents:
        source, target = source.get(parent) or {}, target.setdefault(parent, {})
    if leaf in source:
        target[leaf] = source[leaf]


def _without(target: dict[str, Any], parents: list[str], leaf: str) -> None:
    for parent in parents:
        target = target.get(parent) or {}
    target.pop(leaf, None)


def _pruned(value: Any) -> Any:
    """Return the value without maps that say nothing: left out and left empty are the same."""
    if not isinstance(value, dict):
        return value
    pruned = {key: _pruned(item) for key, item in value.items()}
    return {key: item for key, item in pruned.items() if item != {}}
