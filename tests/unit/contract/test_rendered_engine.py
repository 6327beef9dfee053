"""The operator renders exactly what the engine reads: variables, files, ports, paths and commands.

Neither imports the other; this test is where the two lists of the contract meet.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from insight_engine.__main__ import parser
from insight_engine.adapters.config.sources import load_sources
from insight_engine.settings import PREFIX, Settings
from insight_operator.desired.plan import plan
from insight_operator.images import ImageSettings
from insight_operator.snapshot import SecretFacts
from insight_operator.validate import validate

IMAGES = ImageSettings(
    engine="registry.example/engine:1", postgres="postgres:18", redis="redis:7", allowlist=frozenset()
)
ENGINE = {
    "apiVersion": "insightengine.io/v1alpha1",
    "kind": "InsightEngine",
    "metadata": {"name": "vanna", "namespace": "insight", "uid": "11111111", "generation": 1},
    "spec": {
        "dataSources": [
            {
                "name": "sales",
                "dialect": "postgres",
                "secretRef": {"name": "sales-readonly"},
                "schemas": ["public", "reports"],
                "roles": ["analyst", "admin"],
            }
        ]
    },
}
FACTS = SecretFacts(
    labels={"insightengine.io/use": "true"},
    keys=frozenset({"host", "port", "dbname", "username", "password"}),
)
EXPECTED_SETS = {
    "serve": {"database", "broker", "jwt"},
    "worker": {"database", "broker", "source-sales"},
    "migrate": {"database", "database-admin", "bootstrap-admin"},
}


@pytest.fixture(scope="module")
def manifests() -> tuple[dict[str, Any], ...]:
    return plan(validate(ENGINE, {"sales-readonly": FACTS}, IMAGES))


def engine_containers(manifests: tuple[dict[str, Any], ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    for manifest in manifests:
        if manifest["kind"] in {"Deployment", "Job"}:
            for container in manifest["spec"]["template"]["spec"]["containers"]:
                words = [*container.get("command", []), *container.get("args", [])]
                yield words[-1], container


def test_the_three_processes_are_rendered_and_their_commands_exist(
    manifests: tuple[dict[str, Any], ...],
) -> None:
    commands = {command for command, _ in engine_containers(manifests)}
    assert commands == set(EXPECTED_SETS)
    for command in commands:
        parser().parse_args([command])


def test_every_rendered_variable_is_one_the_engine_reads(manifests: tuple[dict[str, Any], ...]) -> None:
    for command, container in engine_containers(manifests):
        given = {entry["name"]: entry["value"] for entry in container["env"]}
        unknown = [
            name for name in given if name.removeprefix(PREFIX).lower() not in Settings.__dataclass_fields__
        ]
        assert unknown == [], command
        Settings.from_env(given)


def test_each_process_gets_its_secret_sets_and_no_other(manifests: tuple[dict[str, Any], ...]) -> None:
    root = str(Settings().secrets_dir)
    for command, container in engine_containers(manifests):
        mounted = {
            Path(mount["mountPath"]).name
            for mount in container["volumeMounts"]
            if Path(mount["mountPath"]).parent == Path(root)
        }
        assert mounted == EXPECTED_SETS[command]


def test_the_ports_and_the_writable_folder_are_the_engines_defaults(
    manifests: tuple[dict[str, Any], ...],
) -> None:
    for command, container in engine_containers(manifests):
        writable = [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")]
        assert writable == [str(Settings().tmp_dir)], command
        ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
        expected = {
            "serve": {"http": Settings().api_port, "metrics": Settings().internal_port},
            "worker": {"metrics": Settings().internal_port},
            "migrate": {},
        }
        assert ports == expected[command]


def test_the_sources_file_is_read_as_it_was_meant(
    manifests: tuple[dict[str, Any], ...], tmp_path: Path
) -> None:
    config = next(manifest for manifest in manifests if manifest["kind"] == "ConfigMap")
    file = tmp_path / "sources.json"
    file.write_text(config["data"][Settings().sources_file.name])
    assert json.loads(file.read_text())["sources"][0]["name"] == "sales"
    (source,) = load_sources(file).values()
    assert source.schemas == ("public", "reports")
    assert {role.value for role in source.roles} == {"analyst", "admin"}
