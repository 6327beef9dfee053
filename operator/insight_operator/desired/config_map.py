"""Builds the ConfigMap of the engine: the list of data sources, without any credential. Pure.

It is immutable and named by its content: a change makes a new one and rolls the pods, an undo finds the old
one.
"""

import json
from collections.abc import Mapping
from typing import Any

from insight_operator import naming
from insight_operator.crd.data_sources import DataSource, RoleGrant
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


def restored(engine: ValidatedEngine, name: str, data: Mapping[str, str]) -> Manifest | None:
    """Return an earlier ConfigMap from its name and content; None where the two do not belong together."""
    if name != naming.hashed_child(engine, naming.CONFIG, data):
        return None
    return owned(engine, "v1", "ConfigMap", naming.CONFIG, name) | {"data": dict(data), "immutable": True}


def _data(engine: ValidatedEngine) -> dict[str, str]:
    sources = [_source(source) for source in engine.spec.data_sources]
    return {SOURCES_FILE: json.dumps({"sources": sources}, indent=2) + "\n"}


def _source(source: DataSource) -> dict[str, Any]:
    """Return its entry, without what has its default: entries of earlier releases stay the same."""
    entry: dict[str, Any] = {
        "name": source.name,
        "dialect": source.dialect.value,
        "schemas": list(source.schemas),
        "roles": [role.value for role in source.roles],
    }
    if source.max_connections != DataSource.model_fields["max_connections"].default:
        entry["max_connections"] = source.max_connections
    if source.grants:
        entry["grants"] = {grant.role.value: _grant(grant) for grant in source.grants}
    return entry


def _grant(grant: RoleGrant) -> dict[str, Any]:
    rule: dict[str, Any] = {}
    if grant.schemas is not None:
        rule["schemas"] = list(grant.schemas)
    if grant.tables:
        rule["tables"] = list(grant.tables)
    if grant.columns:
        rule["columns"] = {column.table: list(column.columns) for column in grant.columns}
    if grant.max_cost is not None:
        rule["max_cost"] = grant.max_cost
    return rule
