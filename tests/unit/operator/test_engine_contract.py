"""What the operator renders into the engine's pods is exactly what the engine's settings read."""

import dataclasses
import json
from pathlib import Path

import pytest

from insight_engine.settings import Settings
from insight_operator.desired.plan import plan
from insight_operator.snapshot import Manifest
from support.bad_engines import source
from support.manifests import named, pod_templates, validated

SPEC: Manifest = {
    "dataSources": [source()],
    "api": {"processes": 3, "logLevel": "DEBUG"},
    "workers": {"concurrency": 6, "terminationGracePeriodSeconds": 100, "logLevel": "WARNING"},
    "auth": {"accessTokenTTL": "90m"},
}
TEMPLATES = dict(pod_templates(validated(SPEC)))
ENGINE_PODS = {
    name: template for name, template in TEMPLATES.items() if "postgres" not in name and "redis" not in name
}


def _container(name: str) -> Manifest:
    return dict(
        next(template for pod, template in ENGINE_PODS.items() if name in pod)["spec"]["containers"][0]
    )


def _environment(name: str) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in _container(name)["env"]}


def _mounts(name: str) -> set[str]:
    return {mount["mountPath"] for mount in _container(name)["volumeMounts"]}


def _holders(secret_set: str) -> list[str]:
    return [
        name for name in ("-api", "-worker", "-migrate") if f"/var/run/insight/{secret_set}" in _mounts(name)
    ]


@pytest.mark.parametrize("name", ENGINE_PODS)
def test_the_engine_knows_every_variable_it_is_given(name: str) -> None:
    known = {f"INSIGHT_{field.name.upper()}" for field in dataclasses.fields(Settings)}
    assert set(_environment(name)) <= known


def test_the_api_reads_what_the_spec_says() -> None:
    read = Settings.from_env(_environment("-api"))
    assert (read.instance, read.log_level) == ("vanna", "DEBUG")
    assert (read.api_processes, read.access_token_ttl_s) == (3, 5400)
    assert read.sources_file == Path("/etc/insight/sources.json")


def test_a_worker_reads_what_the_spec_says() -> None:
    read = Settings.from_env(_environment("-worker"))
    assert (read.worker_concurrency, read.log_level) == (6, "WARNING")


def test_a_worker_drains_before_its_grace_period_ends() -> None:
    grace = named(validated(SPEC), "Deployment", "worker")["spec"]["template"]["spec"][
        "terminationGracePeriodSeconds"
    ]
    assert Settings.from_env(_environment("-worker")).drain_timeout_s == grace - 10


def test_only_a_worker_holds_the_credentials_of_a_source() -> None:
    assert _holders("source-sales") == ["-worker"]


def test_only_an_api_pod_holds_the_signing_keys() -> None:
    assert _holders("jwt") == ["-api"]


def test_only_the_migration_holds_the_superuser_and_the_first_admin() -> None:
    for secret_set in ("database-admin", "bootstrap-admin"):
        assert _holders(secret_set) == ["-migrate"]


def test_probes_ask_the_ports_the_engine_listens_on() -> None:
    ports = {port["name"]: port["containerPort"] for port in _container("-api")["ports"]}
    assert ports == {"http": Settings().api_port, "metrics": Settings().internal_port}


def test_the_list_of_sources_has_the_shape_the_engine_reads() -> None:
    config = next(item for item in plan(validated(SPEC)) if item["kind"] == "ConfigMap")
    assert json.loads(config["data"]["sources.json"]) == {
        "sources": [
            {"name": "sales", "dialect": "postgres", "schemas": ["public"], "roles": ["analyst", "admin"]}
        ]
    }
    assert config["immutable"] is True
