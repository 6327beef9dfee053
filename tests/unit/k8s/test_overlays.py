"""The overlays, rendered as people render them, hold what people already rely on."""

import subprocess

import pytest

from dev.cluster import paths
from dev.kube import kubectl_program
from support.k8s_overlays import OVERLAYS, documents, engine, pods

LIVENESS = {
    "initialDelaySeconds": 30,
    "timeoutSeconds": 5,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
}
READINESS = {
    "initialDelaySeconds": 10,
    "timeoutSeconds": 3,
    "periodSeconds": 5,
    "successThreshold": 1,
    "failureThreshold": 2,
}


def shell(command: str) -> str:
    """A command as people type it, with the kubectl that tests use."""
    command = command.replace("kubectl", str(kubectl_program()), 1)
    return subprocess.run(
        ["/bin/sh", "-c", command], cwd=paths.REPOSITORY, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_commands_people_type_show_security_and_probes(overlay: str) -> None:
    security = shell(f"kubectl kustomize k8s/overlays/{overlay} | grep -A 5 securityContext")
    assert "runAsUser: 1000" in security
    probes = shell(f"kubectl kustomize k8s/overlays/{overlay} | grep -A 3 'livenessProbe\\|readinessProbe'")
    assert "livenessProbe:\n      failureThreshold: 3\n      initialDelaySeconds: 30\n" in probes
    assert "readinessProbe:\n      failureThreshold: 2\n      initialDelaySeconds: 10\n" in probes


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_namespace_enforces_the_restricted_profile(overlay: str) -> None:
    (namespace,) = (each for each in documents(overlay) if each["kind"] == "Namespace")
    assert namespace["metadata"]["name"] == f"vanna-{overlay}"
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    assert levels.items() <= namespace["metadata"]["labels"].items()
    for each in documents(overlay):
        assert (
            each is namespace
            or each["kind"] == "Namespace"
            or each["metadata"]["namespace"] == f"vanna-{overlay}"
        )


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_no_secret_is_kept_with_the_manifests(overlay: str) -> None:
    assert {each["kind"] for each in documents(overlay)} == {"Namespace", "InsightEngine", "NetworkPolicy"}
    (source,) = engine(overlay)["spec"]["dataSources"]
    assert source["secretRef"] == {"name": "sales-readonly"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_api_pod_is_probed_as_contracted(overlay: str) -> None:
    (container,) = pods(overlay)["api"]["spec"]["containers"]
    live, ready = dict(container["livenessProbe"]), dict(container["readinessProbe"])
    assert live.pop("httpGet") == {"path": "/health/live", "port": "http", "scheme": "HTTP"}
    assert ready.pop("httpGet") == {"path": "/health", "port": "http", "scheme": "HTTP"}
    assert (live, ready) == (LIVENESS, READINESS)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_of_the_engine_run_locked_down_as_user_1000(overlay: str) -> None:
    for component in ("api", "worker", "migrate"):
        spec = pods(overlay)[component]["spec"]
        assert spec["securityContext"]["runAsUser"] == 1000, component
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["runAsUser"] == 1000
            assert context["runAsNonRoot"] is True
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert set(container["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}


def test_production_is_the_larger() -> None:
    production, staging = engine("production")["spec"], engine("staging")["spec"]
    assert production["api"]["replicas"] > staging["api"]["replicas"]
    assert production["workers"]["concurrency"] == 8
    assert (production["deletionPolicy"], staging["deletionPolicy"]) == ("Retain", "Delete")
