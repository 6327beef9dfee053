"""The chart, installed by the real helm, and its operator: a process with what the chart gave to the pod.

Its pod is played by kwok. The process takes the pod's place: it has the environment that the Deployment
spells out and a token of the Deployment's ServiceAccount, and so the rights of that version's chart and no
others.
"""

import json
from pathlib import Path
from typing import Any

from dev.install import RELEASE as NAME
from dev.kube import helm
from support import space as spaces
from support.kube_api import KubeApi, Manifest
from support.operator_process import OperatorProcess


class HelmRelease:
    """One release of the chart in a namespace of its own.

    Attributes:
        kube: the API server as administrator, within the release's namespace.
    """

    def __init__(self, program: Path, kube: KubeApi, folder: Path) -> None:
        self.kube = kube
        self._program = program
        self._folder = folder
        self._started: list[OperatorProcess] = []

    def run(self, command: str, *arguments: str, **values: Any) -> None:
        """Run a helm command that changes the release, and wait as a user does. Raises ClusterError."""
        flags = [f"--set-json={name}={json.dumps(value)}" for name, value in values.items()]
        waiting = ("--wait", "--timeout=2m", f"--namespace={self.kube.namespace}")
        helm(self.kube.kubeconfig, self._program, command, NAME, *arguments, *waiting, *flags)

    def deployment(self) -> Manifest:
        """Return the operator's Deployment."""
        found = self.kube.get("Deployment", NAME)
        assert found is not None, "helm installed no operator"
        return found

    def operator(self, log: str, **environment: str) -> OperatorProcess:
        """Start the operator as the Deployment says it, with further variables; return once it is ready."""
        pod = self.deployment()["spec"]["template"]["spec"]
        assert pod["serviceAccountName"] == spaces.OPERATOR
        (container,) = pod["containers"]
        told = {item["name"]: item["value"] for item in container["env"] if "value" in item}
        kubeconfig = spaces.operator_login(self.kube, self._folder / f"{log}.kubeconfig")
        process = OperatorProcess(
            kubeconfig, self.kube.namespace, self._folder / f"{log}.log", **told, **environment
        )
        self._started.append(process)
        return process.start()

    def end(self) -> None:
        """End every operator that runs."""
        for process in self._started:
            process.kill()
