"""What the node leaves on a machine besides processes: container shims, mounts, network namespaces.

Everything is recognised by lying under the cluster's own state folder; nothing is ended or unmounted by name.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from dev.cluster import network
from dev.cluster.errors import ClusterError
from dev.cluster.layout import Layout

_SHIM = "containerd-shim"
_PATIENCE_S = 20.0
# Folders whose place containerd, its shims, the plugins and the kubelet fix, innermost first.
_SHARED_FOLDERS = (
    "/run/containerd/runc/k8s.io",
    "/run/containerd/runc",
    "/run/containerd/s",
    "/run/containerd",
    "/var/lib/cni/results",
    "/var/lib/cni",
    "/var/lib/kubelet",
)


def shims(layout: Layout) -> list[int]:
    """Return the ids of container shims that serve this cluster's containerd socket."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            words = _command_line(entry)
            if words and _SHIM in words[0] and str(layout.containerd_socket) in words:
                found.append(int(entry.name))
    return found


def container_processes(layout: Layout) -> list[int]:
    """Return the ids of processes whose root file system is a snapshot of this cluster's containerd.

    Their shims may be dead already, so who started them tells nothing.
    """
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and rooted_in(_read(entry / "mountinfo"), layout.containerd_root)
    ]


def rooted_in(mountinfo: str, containerd_root: Path) -> bool:
    """Tell whether a process with this mount table has its root under `containerd_root`. Pure."""
    roots = [line for line in mountinfo.splitlines() if line.split()[4] == "/"]
    return any(f"upperdir={containerd_root}/" in line or f":{containerd_root}/" in line for line in roots)


def mounts(root: Path) -> list[str]:
    """Return the mount points under a folder, innermost first."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return mounts_under(points, root)


def mounts_under(points: list[str], root: Path) -> list[str]:
    """Return those of `points` that lie below `root`, in the order in which they can be unmounted. Pure."""
    decoded = [point.replace("\\040", " ") for point in points]
    return sorted((point for point in decoded if point.startswith(f"{root}/")), key=len, reverse=True)


def clear(layout: Layout) -> None:
    """End every container of the cluster and take its mounts, network namespaces and pod bridge away.

    To be called while neither kubelet nor containerd runs. Raises ClusterError if something does not go away.
    """
    _kill_all(layout)
    for _ in range(3):
        for point in mounts(layout.root):
            subprocess.run(["umount", "--lazy", point], capture_output=True, check=False)
    if left := mounts(layout.root):
        raise ClusterError(
            f"Still mounted: {', '.join(left[:3])}; see who uses it (`fuser -vm`) and run this again."
        )
    network.delete_link(layout.pod_bridge)
    _remove_shim_sockets(layout)
    for folder in (layout.containerd_state, layout.root / "cni-addresses"):
        shutil.rmtree(folder, ignore_errors=True)
    for cached in Path("/var/lib/cni/results").glob(f"{layout.instance}-*"):
        cached.unlink()
    for folder in cgroups(layout):
        _remove_if_empty(str(path) for path in sorted(folder.glob("**/"), key=_depth, reverse=True))
    _remove_if_empty(_SHARED_FOLDERS)


def _kill_all(layout: Layout) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while pids := [*shims(layout), *container_processes(layout)]:
        if time.monotonic() > deadline:
            raise ClusterError(
                f"Processes {pids[:5]} of the cluster do not end; end them by hand and run this again."
            )
        for pid in pids:
            _kill(pid)
        time.sleep(0.05)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _remove_shim_sockets(layout: Layout) -> None:
    """Remove the sockets of dead shims; each task's folder names its own."""
    for address in layout.containerd_state.glob("io.containerd.runtime.v2.task/*/*/address"):
        Path(address.read_text().removeprefix("unix://")).unlink(missing_ok=True)


def _remove_if_empty(folders: Iterable[str]) -> None:
    for folder in folders:
        try:
            Path(folder).rmdir()
        except OSError:
            continue


def cgroups(layout: Layout) -> list[Path]:
    """Return the cgroup of this cluster's pods in every hierarchy that the machine has, made or not."""
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        return [root / layout.instance]
    hierarchies = [
        line.split()[4] for line in _read(Path("/proc/self/mountinfo")).splitlines() if " - cgroup" in line
    ]
    return [Path(each) / layout.instance for each in hierarchies]


def make_cgroups(layout: Layout) -> None:
    """Make the cgroup that the kubelet keeps its pods in; it refuses to start without."""
    for folder in cgroups(layout):
        folder.mkdir(exist_ok=True)
        if folder.parent.joinpath("cpuset.cpus").exists():
            _inherit_cpuset(folder)


def _inherit_cpuset(folder: Path) -> None:
    """Copy the parent's processors and memory nodes: a new cpuset of cgroup v1 has none."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        if not (folder / name).read_text().strip():
            (folder / name).write_text((folder.parent / name).read_text())


def _depth(path: Path) -> int:
    return len(path.parts)


def _command_line(entry: Path) -> list[str]:
    return _read(entry / "cmdline").split("\0")


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except (OSError, ProcessLookupError):
        return ""
