"""The cluster of a machine that cannot run containers: a real control plane whose pods kwok pretends to run.

Says so loudly when it starts and when it ends; nothing proven on it is proof about pods.
"""

from collections.abc import Sequence
from pathlib import Path  # noqa: TC003 - named in the annotation of an attribute

from dev.cluster import paths, provider
from dev.cluster.controlplane import ControlPlane
from dev.cluster.progress import say


class SimulatedCluster:
    """A control plane with kwok in the state folder, started on creation and ended by `release`."""

    kind: provider.Kind = "simulated"
    real_pods = False

    def __init__(self, reason: str) -> None:
        self._warning = provider.SIMULATED_WARNING.format(reason=reason)
        say(self._warning)
        self._control_plane = ControlPlane(
            paths.state_folder() / "simulated", controllers=True, kwok=True
        ).start()
        self.kubeconfig = self._control_plane.kubeconfig
        self.audit_log: Path | None = self._control_plane.audit_log

    def load_images(self, references: Sequence[str]) -> None:
        """Do nothing: no image is ever run."""

    def release(self) -> None:
        """End it and repeat that nothing here ran a container."""
        self._control_plane.stop()
        say(self._warning)
