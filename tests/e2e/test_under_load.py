"""Changes are made while the engine is in use, five questions a second, and its users do not notice."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dev.install import Image, reference, wait_ready
from dev.kube import Kube
from support import load_pod
from support.waiting import eventually

POD = "load"


@pytest.fixture
def load(vanna: Kube, images: dict[str, Image]) -> Iterator[Kube]:
    """A pod that asks; the test that uses it ends it by `answered`."""
    with open(load_pod.__file__) as script:  # noqa: PTH123 - a module's file is a str
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": POD}}
        vanna.apply(json.dumps(config | {"data": {"load_pod.py": script.read()}}))
    vanna.apply(json.dumps(pod(reference(images["engine"]))))
    try:
        eventually("the load pod asking", lambda: "asking" in logs(vanna), within_s=60)
        yield vanna
    finally:
        vanna.run("delete", "pod,configmap", POD, "--ignore-not-found", "--force", "--grace-period=0")


def pod(image: str) -> dict[str, Any]:
    mounts = [
        {"name": "script", "mountPath": "/load", "readOnly": True},
        {"name": "admin", "mountPath": "/admin", "readOnly": True},
    ]
    container = {
        "name": POD,
        "image": image,
        "command": ["/opt/insight/bin/python", "/load/load_pod.py"],
        "args": ["http://vanna-api:8000", "/admin/password"],
        "volumeMounts": mounts,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            {"name": "script", "configMap": {"name": POD}},
            {"name": "admin", "secret": {"secretName": "vanna-admin", "defaultMode": 0o440}},
        ],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD}, "spec": spec}


def logs(kube: Kube) -> str:
    return kube.attempt("logs", POD).stdout


def answered(kube: Kube) -> dict[str, Any]:
    """End the load, gently, and return its report."""
    kube.run("exec", POD, "--", "/opt/insight/bin/python", "-c", "import os; os.kill(1, 15)")
    eventually("the load's report", lambda: '"failures"' in logs(kube), within_s=90)
    return dict(json.loads(logs(kube).splitlines()[-1]))


def uids(kube: Kube, component: str) -> set[str]:
    return {pod["metadata"]["uid"] for pod in kube.list("pods", f"app=vanna-{component}")}


def change(kube: Kube, **spec: Any) -> None:
    kube.run("patch", "insightengine", "vanna", "--type=merge", "-p", json.dumps({"spec": spec}))
    wait_ready(kube, "vanna", print, timeout_s=300)


def test_rollouts_and_a_migration_lose_no_question(load: Kube, images: dict[str, Image]) -> None:
    before = {component: uids(load, component) for component in ("api", "worker")}
    started = time.monotonic()

    change(load, api={"logLevel": "WARNING"})
    assert uids(load, "api").isdisjoint(before["api"])
    assert uids(load, "worker") == before["worker"]

    change(load, workers={"logLevel": "WARNING"})
    assert uids(load, "worker").isdisjoint(before["worker"])

    between = {component: uids(load, component) for component in ("api", "worker")}
    engine = images["engine"]
    change(
        load, image={"repository": engine["repository"], "digest": engine["digest"]}
    )  # the same, by digest
    migrated = [job["spec"]["template"]["spec"] for job in load.list("jobs")]
    by_digest = f"{engine['repository']}@{engine['digest']}"
    assert by_digest in {container["image"] for job in migrated for container in job["containers"]}
    assert all(uids(load, component).isdisjoint(between[component]) for component in between)

    change(load, api={"logLevel": None}, workers={"logLevel": None}, image=None)

    seconds = time.monotonic() - started
    report = answered(load)
    print(f"\n{seconds:.0f} s of rollouts and two migrations: {report}")
    assert report["failures"] == []
    assert report["put_off"] <= 0.02 * report["asked"]
    assert report["asked"] > 0.8 * seconds * load_pod.PER_SECOND
