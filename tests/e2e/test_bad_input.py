"""What is wrong is said where its author looks, by field, and what runs goes on."""

import json

import pytest

from dev.install import condition, create, secret, wait_ready
from dev.kube import Kube
from support.waiting import eventually


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        (
            {"dataSources": [{"name": "s", "dialect": "oracle", "secretRef": {"name": "x"}}]},
            "spec.dataSources[0].dialect",
        ),
        ({"api": {"replicas": -1}}, "spec.api.replicas"),
        ({"database": {"managed": {}, "external": {"secretRef": {"name": "x"}}}}, "spec.database"),
    ],
)
def test_a_bad_spec_is_refused_by_field_name(vanna: Kube, spec: dict[str, object], field: str) -> None:
    manifest = {
        "apiVersion": "insightengine.io/v1alpha1",
        "kind": "InsightEngine",
        "metadata": {"name": "wrong"},
        "spec": spec,
    }
    refused = vanna.attempt("apply", "-f", "-", stdin=json.dumps(manifest))
    assert refused.returncode != 0
    assert field in refused.stderr


def test_a_missing_secret_is_named_and_its_arrival_noticed(vanna: Kube) -> None:
    patch = {
        "spec": {
            "dataSources": [
                {
                    "name": "sales",
                    "dialect": "postgres",
                    "secretRef": {"name": "sales-readonly"},
                    "schemas": ["public"],
                },
                {
                    "name": "late",
                    "dialect": "postgres",
                    "secretRef": {"name": "late-readonly"},
                    "schemas": ["public"],
                },
            ]
        }
    }
    before = vanna.get("deployment", "vanna-api")
    vanna.run("patch", "insightengine", "vanna", "--type=merge", "-p", json.dumps(patch))

    def told() -> str | None:
        stalled = condition(vanna.get("insightengine", "vanna") or {}, "Stalled")
        return str(stalled["message"]) if stalled.get("reason") == "InvalidReference" else None

    message = eventually("Stalled with InvalidReference", told, within_s=10)
    assert "spec.dataSources[1].secretRef" in message
    assert "late-readonly" in message
    after = vanna.get("deployment", "vanna-api")
    assert before is not None
    assert after is not None
    assert after["spec"] == before["spec"], "what runs must not change for a spec that cannot be carried out"

    login = {"host": "sales", "port": "5432", "dbname": "sales", "username": "x", "password": "y"}
    create(vanna, secret("late-readonly", login, {"insightengine.io/use": "true"}))
    wait_ready(vanna, "vanna", print, timeout_s=180)
    undo = {"spec": {"dataSources": patch["spec"]["dataSources"][:1]}}
    vanna.run("patch", "insightengine", "vanna", "--type=merge", "-p", json.dumps(undo))
    wait_ready(vanna, "vanna", print, timeout_s=180)
    vanna.run("delete", "secret", "late-readonly")
