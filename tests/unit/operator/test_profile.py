"""The restricted profile, field by field: what the operator renders meets it, and each way out is named."""

import copy
from typing import Any

import pytest

from insight_operator.overlays.profile import CONTAINER_LISTS, violations
from insight_operator.snapshot import Manifest
from support.bad_engines import source
from support.manifests import pod_templates, validated

CLOSED: Manifest = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def pod(where: str = "containers", **container: Any) -> Manifest:
    made = {"name": "a", "image": "x", "securityContext": copy.deepcopy(CLOSED)} | container
    return {"metadata": {}, "spec": {"containers": [], where: [made]}}


def secured(**context: Any) -> Manifest:
    return {"securityContext": copy.deepcopy(CLOSED) | context}


def test_what_is_rendered_meets_it() -> None:
    for name, template in pod_templates(validated({"dataSources": [source()]})):
        assert list(violations(template)) == [], name


def test_the_least_that_meets_it() -> None:
    assert list(violations(pod())) == []


def test_the_pod_may_say_it_for_its_containers() -> None:
    made = pod(securityContext={"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}})
    made["spec"]["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert list(violations(made)) == []


@pytest.mark.parametrize("where", CONTAINER_LISTS)
@pytest.mark.parametrize(
    ("container", "path"),
    [
        (secured(privileged=True), "securityContext.privileged"),
        (secured(allowPrivilegeEscalation=True), "securityContext.allowPrivilegeEscalation"),
        (secured(allowPrivilegeEscalation=None), "securityContext.allowPrivilegeEscalation"),
        (secured(capabilities={}), "securityContext.capabilities.drop"),
        (secured(capabilities={"drop": ["NET_RAW"]}), "securityContext.capabilities.drop"),
        (secured(capabilities={"drop": ["ALL"], "add": ["CHOWN"]}), "securityContext.capabilities.add.0"),
        (secured(runAsNonRoot=False), "securityContext.runAsNonRoot"),
        (secured(runAsNonRoot=None), "securityContext.runAsNonRoot"),
        (secured(runAsUser=0), "securityContext.runAsUser"),
        (secured(seccompProfile=None), "securityContext.seccompProfile"),
        (secured(seccompProfile={"type": "Unconfined"}), "securityContext.seccompProfile.type"),
        (secured(appArmorProfile={"type": "Unconfined"}), "securityContext.appArmorProfile.type"),
        (secured(procMount="Unmasked"), "securityContext.procMount"),
        (secured(seLinuxOptions={"type": "spc_t"}), "securityContext.seLinuxOptions.type"),
        (secured(seLinuxOptions={"role": "x"}), "securityContext.seLinuxOptions.role"),
        (secured(windowsOptions={"hostProcess": True}), "securityContext.windowsOptions.hostProcess"),
        ({"securityContext": None}, "securityContext.runAsNonRoot"),
        ({"ports": [{"containerPort": 1, "hostPort": 1}]}, "ports.0.hostPort"),
        *(
            ({probe: {action: {"port": 1, "host": "x"}}}, f"{probe}.{action}.host")
            for probe in ("livenessProbe", "readinessProbe", "startupProbe")
            for action in ("httpGet", "tcpSocket")
        ),
        *(
            ({"lifecycle": {hook: {action: {"port": 1, "host": "x"}}}}, f"lifecycle.{hook}.{action}.host")
            for hook in ("postStart", "preStop")
            for action in ("httpGet", "tcpSocket")
        ),
    ],
)
def test_a_container_that_leaves_it_is_named(where: str, container: Manifest, path: str) -> None:
    found = {".".join(map(str, at)) for at, _ in violations(pod(where, **container))}
    assert f"spec.{where}.0.{path}" in found


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        *(({field: True}, field) for field in ("hostNetwork", "hostPID", "hostIPC")),
        *(
            ({"volumes": [{"name": "x", kind: {}}]}, f"volumes.0.{kind}")
            for kind in ("hostPath", "nfs", "iscsi", "gitRepo", "image", "awsElasticBlockStore", "flexVolume")
        ),
        ({"securityContext": {"runAsUser": 0}}, "securityContext.runAsUser"),
        ({"securityContext": {"runAsNonRoot": False}}, "securityContext.runAsNonRoot"),
        (
            {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
            "securityContext.seccompProfile.type",
        ),
        ({"securityContext": {"sysctls": [{"name": "kernel.msgmax"}]}}, "securityContext.sysctls.0.name"),
        ({"securityContext": {"seLinuxOptions": {"user": "x"}}}, "securityContext.seLinuxOptions.user"),
        (
            {"securityContext": {"windowsOptions": {"hostProcess": True}}},
            "securityContext.windowsOptions.hostProcess",
        ),
    ],
)
def test_a_pod_that_leaves_it_is_named(spec: Manifest, path: str) -> None:
    made = pod()
    made["spec"] |= spec
    assert f"spec.{path}" in {".".join(map(str, at)) for at, _ in violations(made)}
