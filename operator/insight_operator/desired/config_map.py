"""Builds the ConfigMap of the engine: the list of data sources, without any credential. Pure.

It is immutable and named by its content: a change makes a new one and rolls the pods, an undo finds the old
one.
"""

import json

from insight_operator import naming
from insight_operator.desired.objects import owned
from insight_operator.desired.pods import SOURCES_FILE
from insight_operator.snapshot import Manifest
from insight_operator.validate import ValidatedEngine


def config_map(engine: ValidatedEngine) -> Manifest:
    """Return the ConfigMap."""
    return owned(engine, "v1", "ConfigMap", naming.CONFIG, config_map_name(engine)) | {
        "data": _data(engine),
        "immutable": True,
    }


def config_map_name(engine: ValidatedEngine) -> str:
    """Return its name, which changes with its content."""
    return naming.hashed_child(engine, naming.CONFIG, _data(engine))


def _data(engine: ValidatedEngine) -> dict[str, str]:
    sources = [
        {
            "name": source.name,
            "dialect": source.dialect.value,
            "schemas": list(source.schemas),
            "roles": [role.value for role in source.roles],
        }
        for source in engine.spec.data_sources
    ]
    return {SOURCES_FILE: json.dumps({"sources": sources}, indent=2) + "\n"}
