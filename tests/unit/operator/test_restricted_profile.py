"""Every pod of every child meets the restricted profile and what scanners ask beyond it."""

import pytest

from insight_operator.desired.plan import plan
from insight_operator.snapshot import Manifest
from support.bad_engines import source
from support.manifests import containers, named, pod_templates, validated

BUILT = validated({"dataSources": [source()], "image": {"pullSecrets": [{"name": "registry"}]}})
TEMPLATES = dict(pod_templates(BUILT))
CONTAINERS = [
    pytest.param(container, id=f"{name}/{container['name']}")
    for name, template in TEMPLATES.items()
    for container in containers(template)
]
PODS = [pytest.param(template["spec"], id=name) for name, template in TEMPLATES.items()]


def test_every_component_is_looked_at() -> None:
    assert {name.rsplit("-migrate", 1)[0] if "migrate" in name else name for name in TEMPLATES} == {
        "vanna",
        "vanna-api",
        "vanna-postgres",
        "vanna-redis",
        "vanna-worker",
    }


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_container_has_no_way_up(container: Manifest) -> None:
    context = container["securityContext"]
    assert context["allowPrivilegeEscalation"] is False
    assert context["privileged"] is False
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] > 0
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert context["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_container_is_bounded_in_everything(container: Manifest) -> None:
    requests, limits = container["resources"]["requests"], container["resources"]["limits"]
    assert set(requests) == set(limits) == {"cpu", "memory", "ephemeral-storage"}
    assert requests["memory"] == limits["memory"]


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_container_gets_no_secret_in_its_environment(container: Manifest) -> None:
    for variable in container.get("env", ()):
        assert set(variable) == {"name", "value"}
        assert not any(word in variable["name"] for word in ("PASSWORD", "SECRET", "URI"))
    assert "envFrom" not in container


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_container_can_write_to_bounded_places_only(container: Manifest) -> None:
    for mount in container["volumeMounts"]:
        assert mount.get("readOnly") is True or mount["name"] in {"tmp", "shm", "data"}
        assert "subPath" not in mount


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_probe_names_its_port_and_no_host(container: Manifest) -> None:
    ports = {port["name"] for port in container.get("ports", ())}
    for probe in ("livenessProbe", "readinessProbe"):
        for action in ("httpGet", "tcpSocket"):
            asked = container.get(probe, {}).get(action)
            assert asked is None or (asked["port"] in ports and "host" not in asked)


@pytest.mark.parametrize("spec", PODS)
def test_a_pod_shares_nothing_with_its_node(spec: Manifest) -> None:
    for field in ("hostNetwork", "hostPID", "hostIPC", "hostUsers", "shareProcessNamespace"):
        assert field not in spec
    allowed = {"configMap", "emptyDir", "persistentVolumeClaim", "secret"}
    for volume in spec["volumes"]:
        assert set(volume) - {"name"} <= allowed


@pytest.mark.parametrize("spec", PODS)
def test_a_pod_runs_as_one_user_without_a_token(spec: Manifest) -> None:
    context = spec["securityContext"]
    assert context["runAsUser"] == context["runAsGroup"] == context["fsGroup"] > 0
    assert context["runAsNonRoot"] is True
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    assert spec["serviceAccountName"] != "default"


@pytest.mark.parametrize("spec", PODS)
def test_a_pods_volumes_are_bounded_and_its_secrets_closed(spec: Manifest) -> None:
    for volume in spec["volumes"]:
        if "emptyDir" in volume:
            assert volume["emptyDir"]["sizeLimit"]
        if "secret" in volume:
            assert volume["secret"]["defaultMode"] == 0o440


def test_service_accounts_carry_no_token() -> None:
    accounts = [item for item in plan(BUILT) if item["kind"] == "ServiceAccount"]
    assert len(accounts) == 5
    assert all(account["automountServiceAccountToken"] is False for account in accounts)


@pytest.mark.parametrize("part", ["api", "worker"])
def test_a_rollout_never_goes_below_its_size(part: str) -> None:
    spec = named(BUILT, "Deployment", part)["spec"]
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    constraint = spec["template"]["spec"]["topologySpreadConstraints"][0]
    assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"


@pytest.mark.parametrize("part", ["api", "worker"])
def test_a_sick_pod_never_blocks_a_drain(part: str) -> None:
    budget = named(BUILT, "PodDisruptionBudget", part)["spec"]
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert budget["maxUnavailable"] >= 1


def test_the_job_ends_and_is_cleared_away() -> None:
    job = next(item for item in plan(BUILT) if item["kind"] == "Job")["spec"]
    assert job["ttlSecondsAfterFinished"] > 0
    assert job["activeDeadlineSeconds"] > 0
    assert job["backoffLimit"] >= 1


def test_the_api_probes_are_those_of_the_contract() -> None:
    container = named(BUILT, "Deployment", "api")["spec"]["template"]["spec"]["containers"][0]
    assert container["livenessProbe"] == {
        "httpGet": {"path": "/health/live", "port": "http", "scheme": "HTTP"},
        "initialDelaySeconds": 30,
        "timeoutSeconds": 5,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert container["readinessProbe"] == {
        "httpGet": {"path": "/health", "port": "http", "scheme": "HTTP"},
        "initialDelaySeconds": 10,
        "timeoutSeconds": 3,
        "periodSeconds": 5,
        "successThreshold": 1,
        "failureThreshold": 2,
    }


def test_the_user_of_the_overlays_reaches_pod_and_container() -> None:
    built = validated({"api": {"securityContext": {"runAsUser": 1000}}})
    pod = named(built, "Deployment", "api")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsUser"] == pod["containers"][0]["securityContext"]["runAsUser"] == 1000


def test_a_whole_instance_fits_a_small_node() -> None:
    asked = 0
    for manifest in plan(BUILT):
        if manifest["kind"] in {"Deployment", "StatefulSet"}:
            for container in manifest["spec"]["template"]["spec"]["containers"]:
                asked += manifest["spec"]["replicas"] * int(
                    container["resources"]["requests"]["cpu"].removesuffix("m")
                )
    assert asked <= 500
