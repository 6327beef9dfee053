"""The cluster of a machine that has kind and a Docker engine, started through the pytest-kind package.

Its kubeconfig lies in the state folder; kind is never given the user's own.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from pytest_kind import KindCluster as Driver

from dev.cluster import paths, provider
from dev.cluster.errors import ClusterError

_NAME = "insight-engine"


class KindCluster:
    """One kind cluster named insight-engine, reused when it is already there."""

    kind: provider.Kind = "kind"
    real_pods = True
    audit_log: Path | None = None

    def __init__(self, driver: Driver, kubeconfig: Path) -> None:
        self._driver = driver
        self.kubeconfig = kubeconfig

    @classmethod
    def start(cls) -> Self:
        """Create the cluster, or take up the one that is there.

        Raises ClusterError with kind's own message when it cannot.
        """
        kubeconfig = paths.state_folder() / "kind" / "kubeconfig"
        kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        driver = Driver(_NAME, kubeconfig=kubeconfig)
        try:
            driver.create()
        except (subprocess.CalledProcessError, OSError) as problem:
            raise ClusterError(
                f"kind could not make a cluster ({problem}); run `kind create cluster` to see why."
            ) from None
        return cls(driver, kubeconfig)

    def load_images(self, references: Sequence[str]) -> None:
        """Load images from the Docker engine into the node."""
        for reference in references:
            self._driver.load_docker_image(reference)

    def release(self) -> None:
        """Delete the cluster and its kubeconfig."""
        self._driver.delete()
