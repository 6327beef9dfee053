"""The chart as helm renders it: the rights it gives, what it mounts, what values it refuses."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.cluster import gotools
from insight_operator.cluster import kinds, rbac
from insight_operator.desired.overlays import checked
from insight_operator.overlays.profile import violations
from support.kube_api import KubeApi, Manifest, Refusal

CHART = Path(__file__).resolve().parents[2] / "charts" / "insight-operator"
ACCOUNT = ("insight-system", "insight-operator")
EVERYWHERE = {"watchNamespaces": ["*"], "secretNamespaces": ["team-a", "team-b"]}
OVERLAYS = {"api": {"spec": {"tolerations": [{"key": "dedicated", "operator": "Exists"}]}}}


@pytest.fixture(scope="session")
def helm() -> Path:
    return gotools.ensure(("helm",))["helm"]


def run(helm: Path, command: str, values: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    flags = [f"--set-json={name}={json.dumps(value)}" for name, value in values.items()]
    arguments = ["--namespace=insight-system", *flags]
    name = ["insight-operator"] if command == "template" else ["--strict"]
    return subprocess.run(
        [str(helm), command, *name, str(CHART), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def rendered(helm: Path, **values: Any) -> dict[tuple[str, str], list[Manifest]]:
    """Return what is installed by kind and namespace."""
    done = run(helm, "template", values)
    assert done.returncode == 0, done.stderr
    found: dict[tuple[str, str], list[Manifest]] = {}
    for manifest in yaml.safe_load_all(done.stdout):
        if manifest:
            found.setdefault((manifest["kind"], manifest["metadata"].get("namespace", "")), []).append(
                manifest
            )
    return found


def grants(found: dict[tuple[str, str], list[Manifest]]) -> list[Manifest]:
    """Return roles and bindings without the labels that helm adds."""
    kept = [item for (kind, _), items in found.items() if "Role" in kind for item in items]
    for item in kept:
        del item["metadata"]["labels"]
    return sorted(kept, key=lambda item: (item["kind"], item["metadata"].get("namespace", "")))


def ordered(*manifests: Manifest) -> list[Manifest]:
    return sorted(manifests, key=lambda item: (item["kind"], item["metadata"].get("namespace", "")))


@pytest.mark.parametrize(
    "values",
    [{}, EVERYWHERE, {"podOverlays": OVERLAYS}, {**EVERYWHERE, "podOverlays": OVERLAYS}],
    ids=["plain", "all", "overlays", "all with overlays"],
)
def test_helm_finds_nothing_to_complain_about(helm: Path, values: dict[str, Any]) -> None:
    done = run(helm, "lint", values)
    assert done.returncode == 0, done.stdout + done.stderr


def test_by_default_the_rights_are_in_one_namespace(helm: Path) -> None:
    assert grants(rendered(helm)) == ordered(*rbac.in_namespace("insight-system", ACCOUNT))


def test_each_watched_namespace_gets_the_same_rights(helm: Path) -> None:
    wanted = [part for place in ("team-a", "team-b") for part in rbac.in_namespace(place, ACCOUNT)]
    assert grants(rendered(helm, watchNamespaces=["team-a", "team-b"])) == ordered(*wanted)


def test_cluster_wide_gives_secrets_by_namespace_only(helm: Path) -> None:
    wanted = [part for place in ("team-a", "team-b") for part in rbac.secrets_in(place, ACCOUNT)]
    found = rendered(helm, **EVERYWHERE)
    assert grants(found) == ordered(*rbac.in_cluster(ACCOUNT), *wanted)
    everywhere = found["ClusterRole", ""][0]["rules"]
    assert not [rule for rule in everywhere if "secrets" in rule["resources"]]
    assert {"*"} & {word for rule in everywhere for words in rule.values() for word in words} == set()
    env = _env(found)
    assert env["INSIGHT_OPERATOR_NAMESPACES"] == "*"


def test_without_overlays_nothing_is_mounted(helm: Path) -> None:
    found = rendered(helm)
    assert ("ConfigMap", "insight-system") not in found
    assert "INSIGHT_OPERATOR_POD_OVERLAYS" not in _env(found)


def test_overlays_reach_the_operator_as_they_were_given(helm: Path) -> None:
    found = rendered(helm, podOverlays=OVERLAYS)
    (config_map,) = found["ConfigMap", "insight-system"]
    assert checked(yaml.safe_load(config_map["data"]["overlays.yaml"])) == OVERLAYS
    pod = _pod(found)["spec"]
    volume = next(item for item in pod["volumes"] if item["name"] == "pod-overlays")
    assert volume["configMap"]["name"] == config_map["metadata"]["name"]
    mount = next(item for item in pod["containers"][0]["volumeMounts"] if item["name"] == "pod-overlays")
    assert _env(found)["INSIGHT_OPERATOR_POD_OVERLAYS"] == f"{mount['mountPath']}/overlays.yaml"


def test_values_of_a_chart_that_knew_fewer_are_enough(helm: Path) -> None:
    unknown = {"podOverlays": None, "secretNamespaces": None}  # as under `helm upgrade --reuse-values`
    assert rendered(helm, **unknown) == rendered(helm)


def test_changed_overlays_start_the_operator_anew(helm: Path) -> None:
    notes = [
        _pod(rendered(helm, podOverlays=overlays))["metadata"]["annotations"]
        for overlays in (OVERLAYS, {"worker": OVERLAYS["api"]})
    ]
    assert notes[0] != notes[1]


@pytest.mark.parametrize(
    "values", [{}, EVERYWHERE, {"podOverlays": OVERLAYS}], ids=["plain", "all", "overlays"]
)
def test_the_operators_own_pod_is_restricted_and_accepted(
    helm: Path, admin: KubeApi, values: dict[str, Any]
) -> None:
    found = rendered(helm, **values)
    assert list(violations(_pod(found))) == []
    (deployment,) = found["Deployment", "insight-system"]
    deployment["metadata"]["namespace"] = "default"
    query = "?dryRun=All&fieldValidation=Strict"
    try:
        admin.request("POST", f"{kinds.DEPLOYMENT.path('default')}{query}", deployment)
    except Refusal as refusal:
        pytest.fail(str(refusal))


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"watchNamespaces": ["*", "team-a"]}, "watchNamespaces"),
        ({"watchNamespaces": ["Team_A"]}, "watchNamespaces"),
        ({"watchNamespaces": ["team-a"], "secretNamespaces": ["team-b"]}, "watchNamespaces"),
        ({"watchNamespaces": ["*"], "secretNamespaces": ["*"]}, "secretNamespaces"),
        ({"podOverlays": {"flower": {}}}, "flower"),
        ({"podOverlays": {"api": {"containers": []}}}, "containers"),
        ({"podOverlays": {"api": {"spec": {"hostNetwork": True}}}}, "hostNetwork"),
        ({"podOverlays": {"api": {"spec": {"serviceAccountName": "x"}}}}, "serviceAccountName"),
        ({"podOverlay": {}}, "podOverlay"),
    ],
)
def test_values_that_make_no_sense_are_refused_by_name(
    helm: Path, values: dict[str, Any], field: str
) -> None:
    done = run(helm, "template", values)
    assert done.returncode != 0
    assert field in done.stderr


def _pod(found: dict[tuple[str, str], list[Manifest]]) -> Manifest:
    template: Manifest = found["Deployment", "insight-system"][0]["spec"]["template"]
    return template


def _env(found: dict[tuple[str, str], list[Manifest]]) -> dict[str, str]:
    (container,) = _pod(found)["spec"]["containers"]
    return {item["name"]: item.get("value", "") for item in container["env"]}
