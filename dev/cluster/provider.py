"""Where a cluster comes from: given → kind → local → simulated. One door for tests, demo and command line.

The user's current kubeconfig context is never read, changed or removed.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from dev.cluster import local, paths
from dev.cluster.errors import ClusterError
from dev.cluster.processes import Daemon
from dev.cluster.progress import say

Kind = Literal["given", "kind", "local", "simulated"]
SIMULATED_WARNING = (
    "NOTE: this machine cannot run containers ({reason}), so pods are SIMULATED: the API server is real, "
    "no container runs. "
    "Tests that need real pods are not run."
)


class Cluster(Protocol):
    """A cluster ready to use. `real_pods` is false where pods only look alive."""

    kind: Kind
    kubeconfig: Path
    real_pods: bool
    audit_log: Path | None

    def load_images(self, references: Sequence[str]) -> None:
        """Make images of the local image builder available to the cluster's nodes."""

    def release(self) -> None:
        """Give the cluster back; what was there before `acquire` stays as it was."""


@dataclass(frozen=True)
class Machine:
    """What the choice of a provider depends on, probed once."""

    given_kubeconfig: str | None
    has_kind: bool
    docker_answers: bool
    local_refusal: str | None
    platform: str


def probe() -> Machine:
    """Look at this machine; harmless, and nothing is started."""
    has_kind = shutil.which("kind") is not None
    return Machine(
        given_kubeconfig=os.environ.get("INSIGHT_KUBECONFIG"),
        has_kind=has_kind,
        docker_answers=has_kind and _docker_answers(),
        local_refusal=local.probe(),
        platform=sys.platform,
    )


def choose(machine: Machine) -> Kind:
    """Return the first kind of cluster this machine allows. Pure.

    Raises ClusterError saying what is missing when it allows none.
    """
    if machine.given_kubeconfig:
        return "given"
    if machine.has_kind and machine.docker_answers:
        return "kind"
    if machine.platform == "linux":
        return "local" if machine.local_refusal is None else "simulated"
    raise ClusterError(
        "No cluster can be had here: name one with INSIGHT_KUBECONFIG, or install kind and Docker, "
        "or use a Linux machine, best as root."
    )


def acquire() -> Cluster:
    """Return a cluster of the first kind that this machine allows, started if need be.

    Raises ClusterError when none can be had or the chosen one does not start.
    """
    machine = probe()
    kind = choose(machine)
    if kind == "given":
        return GivenCluster(Path(machine.given_kubeconfig or ""))
    if kind == "kind":
        from dev.cluster.kind import KindCluster

        return KindCluster.start()
    if kind == "local":
        return StartedLocalCluster()
    from dev.cluster.simulated import SimulatedCluster

    return SimulatedCluster(machine.local_refusal or "unknown reason")


class GivenCluster:
    """The cluster of INSIGHT_KUBECONFIG: used, never changed beyond the namespaces that its users make."""

    kind: Kind = "given"
    real_pods = True
    audit_log: Path | None = None

    def __init__(self, kubeconfig: Path) -> None:
        if not kubeconfig.is_file():
            raise ClusterError(
                f"INSIGHT_KUBECONFIG names {kubeconfig}, which is no file; correct it or unset it."
            )
        self.kubeconfig = kubeconfig

    def load_images(self, references: Sequence[str]) -> None:
        """Say which images its nodes must be able to pull: only its owner can see to that."""
        say(f"  the given cluster must be able to pull {', '.join(references)}")

    def release(self) -> None:
        """Leave it as it is."""


class StartedLocalCluster:
    """The local cluster, brought up if it was not, and left up: the next command needs it again."""

    kind: Kind = "local"
    real_pods = True

    def __init__(self) -> None:
        cluster = local.LocalCluster()
        cluster.up()
        self.kubeconfig = cluster.layout.kubeconfig
        self.audit_log: Path | None = cluster.layout.audit_log

    def load_images(self, references: Sequence[str]) -> None:
        """Do nothing: its nodes pull from the local registry that the image builder pushes to."""

    def release(self) -> None:
        """Leave it up; `python -m dev.cluster down` takes it away."""


def _docker_answers() -> bool:
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        return subprocess.run([docker, "info"], capture_output=True, check=False, timeout=20).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def take_down() -> None:
    """Take away whatever cluster was started from here; a given one is left alone."""
    state = paths.state_folder()
    if (state / "kind").exists():
        from dev.cluster.kind import KindCluster

        KindCluster.start().release()
    for record in (state / "simulated" / "run").glob("*.json"):
        Daemon(record.stem, state / "simulated").stop(patience_s=3)
    local.LocalCluster().down()
