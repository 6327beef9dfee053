"""For every field of the resource: which pods roll when it changes, and none that need not.

The table names every leaf of the schema, so that a new field cannot be added without saying what it rolls.
"""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from insight_operator import naming
from insight_operator.crd.manifest import custom_resource_definition
from insight_operator.desired.causes import GROUPS, cause
from insight_operator.snapshot import Manifest
from support.bad_engines import source
from support.manifests import pod_templates, validated

A, W, P, R, M = "api", "worker", "postgres", "redis", "migrate"
EVERY = {A, W, P, R, M}
BASE: Manifest = {
    "database": {"managed": {}},
    "broker": {"managed": {}},
    "dataSources": [
        source(
            grants=[{"role": "analyst", "columns": [{"table": "public.t", "columns": ["a"]}]}],
        )
    ],
    "image": {"pullSecrets": [{"name": "registry"}]},
    "scheduling": {
        "tolerations": [{"key": "dedicated", "operator": "Equal", "value": "x", "effect": "NoExecute"}]
    },
    "pods": {"extraEnv": [{"name": "TZ", "value": "UTC"}]},
    "upgrade": {"window": {"days": ["Sun"], "start": "02:00", "duration": "3h"}},
}
SOURCE = "dataSources[]"
GRANT = f"{SOURCE}.grants[]"
# Leaf → another value, and the components whose pods roll.
LEAVES: dict[str, tuple[Any, set[str]]] = {
    "database.managed.storage.size": ("20Gi", set()),
    "database.managed.storage.storageClassName": ("fast", set()),
    "database.managed.resources.requests.cpu": ("20m", {P}),
    "database.managed.resources.requests.memory": ("64Mi", {P}),
    "database.managed.resources.requests.ephemeral-storage": ("50Mi", {P}),
    "database.managed.resources.limits.cpu": ("3", {P}),
    "database.managed.resources.limits.memory": ("3Gi", {P}),
    "database.managed.resources.limits.ephemeral-storage": ("3Gi", {P}),
    "database.managed.image": ("ghcr.io/insight-engine/insight-engine:1", {P}),
    "broker.managed.storage.size": ("2Gi", set()),
    "broker.managed.storage.storageClassName": ("fast", set()),
    "broker.managed.resources.requests.cpu": ("20m", {R}),
    "broker.managed.resources.requests.memory": ("64Mi", {R}),
    "broker.managed.resources.requests.ephemeral-storage": ("50Mi", {R}),
    "broker.managed.resources.limits.cpu": ("3", {R}),
    "broker.managed.resources.limits.memory": ("3Gi", {R}),
    "broker.managed.resources.limits.ephemeral-storage": ("3Gi", {R}),
    "broker.managed.image": ("ghcr.io/insight-engine/insight-engine:1", {R}),
    f"{SOURCE}.name": ("other", {A, W}),
    f"{SOURCE}.dialect": ("mysql", {A, W}),
    f"{SOURCE}.secretRef.name": ("other", {W}),
    f"{SOURCE}.schemas": (["reports"], {A, W}),
    f"{SOURCE}.roles": (["admin"], {A, W}),
    f"{GRANT}.role": ("viewer", {A, W}),
    f"{GRANT}.schemas": (["public"], {A, W}),
    f"{GRANT}.tables": (["public.t"], {A, W}),
    f"{GRANT}.columns[].table": ("public.u", {A, W}),
    f"{GRANT}.columns[].columns": (["b"], {A, W}),
    f"{GRANT}.maxCost": (7, {A, W}),
    f"{SOURCE}.maxConnections": (3, {A, W}),
    "image.repository": ("ghcr.io/insight-engine/insight-engine", {A, W, M}),
    "image.tag": ("9", {A, W, M}),
    "image.digest": ("sha256:" + "0" * 64, {A, W, M}),
    "image.pullPolicy": ("Always", {A, W, M}),
    "image.pullSecrets[].name": ("other", EVERY),
    "api.replicas": (3, set()),
    "api.processes": (3, {A}),
    "api.resources.requests.cpu": ("20m", {A}),
    "api.resources.requests.memory": ("64Mi", {A}),
    "api.resources.requests.ephemeral-storage": ("50Mi", {A}),
    "api.resources.limits.cpu": ("3", {A}),
    "api.resources.limits.memory": ("3Gi", {A}),
    "api.resources.limits.ephemeral-storage": ("3Gi", {A}),
    "api.livenessProbe.initialDelaySeconds": (31, {A}),
    "api.livenessProbe.timeoutSeconds": (6, {A}),
    "api.livenessProbe.periodSeconds": (11, {A}),
    "api.livenessProbe.successThreshold": (1, set()),  # the only value there is
    "api.livenessProbe.failureThreshold": (4, {A}),
    "api.readinessProbe.initialDelaySeconds": (11, {A}),
    "api.readinessProbe.timeoutSeconds": (4, {A}),
    "api.readinessProbe.periodSeconds": (6, {A}),
    "api.readinessProbe.successThreshold": (2, {A}),
    "api.readinessProbe.failureThreshold": (3, {A}),
    "api.securityContext.runAsUser": (1000, {A, M}),
    "api.disruptionBudget.maxUnavailable": (2, set()),
    "api.logLevel": ("DEBUG", {A}),
    "workers.replicas": (3, set()),
    "workers.concurrency": (3, {W}),
    "workers.resources.requests.cpu": ("20m", {W}),
    "workers.resources.requests.memory": ("64Mi", {W}),
    "workers.resources.requests.ephemeral-storage": ("50Mi", {W}),
    "workers.resources.limits.cpu": ("3", {W}),
    "workers.resources.limits.memory": ("3Gi", {W}),
    "workers.resources.limits.ephemeral-storage": ("3Gi", {W}),
    "workers.terminationGracePeriodSeconds": (100, {W}),
    "workers.securityContext.runAsUser": (1000, {W}),
    "workers.disruptionBudget.maxUnavailable": (2, set()),
    "workers.logLevel": ("DEBUG", {W}),
    "results.ttl": ("48h", {A, W}),
    "results.historyDays": (9, {A, W}),
    "results.s3.secretRef.name": ("bucket", {A, W}),
    "auth.accessTokenTTL": ("1h", {A}),
    "auth.bootstrapAdmin.secretRef.name": ("boss", {M}),
    "scheduling.nodeSelector": ({"disk": "ssd"}, EVERY),
    "scheduling.tolerations[].key": ("other", EVERY),
    "scheduling.tolerations[].operator": ("Exists", EVERY),
    "scheduling.tolerations[].value": ("y", EVERY),
    "scheduling.tolerations[].effect": ("NoSchedule", EVERY),
    "scheduling.tolerations[].tolerationSeconds": (60, EVERY),
    "scheduling.priorityClassName": ("business", EVERY),
    "pods.labels": ({"team": "data"}, {A, W, M}),
    "pods.annotations": ({"note": "x"}, {A, W, M}),
    "pods.extraEnv[].name": ("LANG", {A, W}),
    "pods.extraEnv[].value": ("Europe/Berlin", {A, W}),
    "deletionPolicy": ("Delete", set()),
    "upgrade.strategy": ("Supervised", set()),
    "upgrade.window.days": (["Mon"], set()),
    "upgrade.window.start": ("03:00", set()),
    "upgrade.window.duration": ("2h", set()),
    "upgrade.window.timeZone": ("Europe/Berlin", set()),
    "mode": ("Plan", set()),
    "suspend": (True, set()),
}
EXTERNAL = {"database.external.secretRef.name", "broker.external.secretRef.name"}
"""Given when the resource is made; a change is tried against the API server in bad_engines.py."""


def leaves(schema: Manifest, path: str = "") -> Iterator[str]:
    """Yield the path of everything that a user can set."""
    if schema.get("properties"):
        for name, part in schema["properties"].items():
            yield from leaves(part, f"{path}.{name}" if path else name)
    elif schema.get("type") == "array" and schema["items"].get("properties"):
        yield from leaves(schema["items"], f"{path}[]")
    else:
        yield path


def with_leaf(path: str, value: Any) -> Manifest:
    """Return the base spec with one leaf set; of lists the first entry."""
    spec = copy.deepcopy(BASE)
    part: Any = spec
    *parents, leaf = path.split(".")
    for name in parents:
        part = part[name[:-2]][0] if name.endswith("[]") else part.setdefault(name, {})
    part[leaf] = value
    if path == "scheduling.tolerations[].operator":
        del part["value"]
    if path == "image.repository":
        part["tag"] = "1"
    if path == f"{SOURCE}.dialect":
        part["schemas"] = ["shop"]
    return spec


def rolled(spec: Manifest) -> set[str]:
    """Return the components whose pod template is another one than the base's."""
    before, after = (_templates(changed) for changed in (BASE, spec))
    return {part for part in before if before[part] != after[part]}


def _templates(spec: Manifest) -> dict[str, str]:
    return {
        template["metadata"]["labels"][naming.COMPONENT_LABEL]: template["metadata"]["annotations"][
            naming.TEMPLATE_HASH
        ]
        for _, template in pod_templates(validated(spec))
    }


def test_the_table_names_every_leaf() -> None:
    version = custom_resource_definition()["spec"]["versions"][0]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert set(leaves(spec)) == LEAVES.keys() | EXTERNAL


@pytest.mark.parametrize("path", LEAVES)
def test_a_change_rolls_what_it_must_and_nothing_else(path: str) -> None:
    value, expected = LEAVES[path]
    assert rolled(with_leaf(path, value)) == expected


@pytest.mark.parametrize("path", LEAVES)
def test_a_field_is_a_cause_of_exactly_what_it_restarts(path: str) -> None:
    value, restarted = LEAVES[path]
    restarted = {A if part == M else part for part in restarted}  # the migrate Job goes with the API
    expected = {group for group, parts in GROUPS.items() if restarted & set(parts)}
    before, after = validated(BASE), validated(with_leaf(path, value))
    assert {group for group in GROUPS if cause(before, group) != cause(after, group)} == expected
