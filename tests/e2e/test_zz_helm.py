"""The chart's life; last of all, since it takes the operator away."""

from pathlib import Path

from dev.kube import Kube, helm


def test_uninstall_keeps_the_definition_and_what_runs(
    vanna: Kube, operator: Kube, helm_program: Path
) -> None:
    helm(
        operator.kubeconfig, helm_program, "uninstall", "insight-operator", "-n", operator.namespace, "--wait"
    )
    assert operator.list("deployments") == []
    assert vanna.get("crd", "insightengines.insightengine.io") is not None
    deployment = vanna.get("deployment", "vanna-api")
    assert deployment is not None
    assert deployment["status"]["availableReplicas"] == 2
