"""Laws that hold for every InsightEngine that the models accept."""

import base64
import copy
import json
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from insight_operator import naming
from insight_operator.desired import credentials
from insight_operator.desired.plan import key, plan
from insight_operator.snapshot import Manifest
from support.bad_engines import EXTERNAL, source
from support.manifests import counting_token, everything, pod_templates, validated

NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)
SOURCES = st.lists(
    st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True), max_size=4, unique=True
).map(lambda names: [source(name=name) for name in names])
SERVERS = st.sampled_from([{"managed": {}}, EXTERNAL])
SPECS = st.fixed_dictionaries(
    {
        "database": SERVERS,
        "broker": SERVERS,
        "dataSources": SOURCES,
        "api": st.fixed_dictionaries({"replicas": st.integers(1, 50), "processes": st.integers(1, 16)}),
        "workers": st.fixed_dictionaries(
            {"replicas": st.integers(1, 200), "concurrency": st.integers(1, 64)}
        ),
        "pods": st.fixed_dictionaries(
            {"labels": st.dictionaries(st.sampled_from(["team", "stage"]), st.just("x"))}
        ),
        "deletionPolicy": st.sampled_from(["Retain", "Delete"]),
    }
)


@settings(max_examples=60, deadline=None)
@given(spec=SPECS, name=NAMES)
def test_the_same_engine_always_builds_the_same(spec: Manifest, name: str) -> None:
    assert plan(validated(copy.deepcopy(spec), name=name)) == plan(validated(spec, name=name))


@settings(max_examples=60, deadline=None)
@given(spec=SPECS, name=NAMES)
@example(spec={}, name="a" * 40)
def test_names_fit_and_are_unique(spec: Manifest, name: str) -> None:
    keys = [key(manifest) for manifest in everything(validated(spec, name=name))]
    assert len(keys) == len(set(keys))
    for _, child in keys:
        assert len(child) <= 63
        assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", child)


@settings(max_examples=60, deadline=None)
@given(spec=SPECS, name=NAMES)
def test_every_selector_is_part_of_the_pods_labels(spec: Manifest, name: str) -> None:
    for manifest in plan(validated(spec, name=name)):
        if manifest["kind"] in {"Deployment", "StatefulSet"}:
            selector = manifest["spec"]["selector"]["matchLabels"]
            assert selector.items() <= manifest["spec"]["template"]["metadata"]["labels"].items()
            assert selector == {"app": manifest["metadata"]["name"]}


@settings(max_examples=60, deadline=None)
@given(spec=SPECS, name=NAMES)
@example(spec={}, name="a" * 40)
def test_label_values_are_legal(spec: Manifest, name: str) -> None:
    for manifest in everything(validated(spec, name=name)):
        for value in manifest["metadata"]["labels"].values():
            assert len(value) <= 63
            assert re.fullmatch(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?", value)


@settings(max_examples=60, deadline=None)
@given(spec=SPECS)
def test_no_secret_value_leaves_the_secrets(spec: Manifest) -> None:
    built = validated(spec)
    state = credentials.issue(built, None, counting_token())
    text = json.dumps(plan(built))
    for values in state.sets.values():
        for entry in ("password", "keyset.json"):
            if entry in values:
                assert values[entry] not in text
                assert base64.b64encode(values[entry].encode()).decode() not in text


@settings(max_examples=60, deadline=None)
@given(spec=SPECS)
def test_every_mounted_secret_and_config_map_is_made_or_given(spec: Manifest) -> None:
    built = validated(spec)
    given_names = {"elsewhere", "sales-readonly"}
    made = {key(manifest) for manifest in everything(built)}
    for _, template in pod_templates(built):
        for volume in template["spec"]["volumes"]:
            if "secret" in volume:
                name = volume["secret"]["secretName"]
                assert ("Secret", name) in made or name in given_names
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in made
            if "persistentVolumeClaim" in volume:
                assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in made


def test_every_child_but_what_is_retained_is_owned() -> None:
    for manifest in everything(validated()):
        metadata = manifest["metadata"]
        if manifest["kind"] in {"Secret", "PersistentVolumeClaim"}:
            assert "ownerReferences" not in metadata
            assert (
                metadata["labels"][naming.RETAINED_FOR]
                == metadata["annotations"][naming.RETAINED_FOR]
                == "vanna"
            )
        else:
            assert metadata["ownerReferences"][0]["controller"] is True


def test_the_policy_delete_owns_everything() -> None:
    for manifest in everything(validated({"deletionPolicy": "Delete"})):
        assert manifest["metadata"]["ownerReferences"][0]["name"] == "vanna"
        assert naming.RETAINED_FOR not in manifest["metadata"]["labels"]


def test_what_is_external_is_not_built() -> None:
    names = {
        manifest["metadata"]["name"]
        for manifest in everything(validated({"database": EXTERNAL, "broker": EXTERNAL}))
    }
    assert not [name for name in names if "postgres" in name or "redis" in name or "database" in name]


@pytest.mark.parametrize(
    "change",
    [
        {"image": {"tag": "9.9.9"}},
        {"auth": {"bootstrapAdmin": {"secretRef": {"name": "boss"}}}},
        {"api": {"securityContext": {"runAsUser": 1000}}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_migrate_job_is_another_one_when_its_template_changes(change: Manifest) -> None:
    assert _job_name({}) != _job_name(change)


def test_the_migrate_job_stays_the_same_when_only_the_scale_changes() -> None:
    assert _job_name({}) == _job_name({"workers": {"replicas": 9}, "api": {"replicas": 9}})


@pytest.mark.parametrize(
    "change",
    [
        {"pods": {"labels": {"team": "data"}}},
        {"pods": {"annotations": {"note": "x"}}},
        {"scheduling": {"nodeSelector": {"disk": "ssd"}}},
        {"image": {"pullSecrets": [{"name": "registry"}]}},
    ],
    ids=str,
)
def test_the_migrate_job_is_not_run_again_for_where_its_pod_runs(change: Manifest) -> None:
    assert _job_name({}) == _job_name(change)


def test_adding_a_source_rolls_the_pods_that_read_the_list() -> None:
    before, after = (dict(pod_templates(validated(spec))) for spec in ({}, {"dataSources": [source()]}))
    changed = {name for name in before if before[name] != after.get(name) and "migrate" not in name}
    assert changed == {"vanna-api", "vanna-worker"}


def _job_name(spec: Manifest) -> str:
    return next(str(item["metadata"]["name"]) for item in plan(validated(spec)) if item["kind"] == "Job")


def test_a_managed_pod_that_never_became_ready_can_be_replaced() -> None:
    sets = [item for item in plan(validated()) if item["kind"] == "StatefulSet"]
    assert [item["spec"]["podManagementPolicy"] for item in sets] == ["Parallel", "Parallel"]


def test_every_pod_can_pull_with_the_keys_that_the_spec_names() -> None:
    built = validated({"image": {"pullSecrets": [{"name": "registry"}]}})
    keys = {name: template["spec"].get("imagePullSecrets") for name, template in pod_templates(built)}
    assert len(keys) == 5
    assert all(found == [{"name": "registry"}] for found in keys.values()), keys
