"""What the node leaves on a machine besides processes: container shims, mounts, network namespaces.

Everything is recognised by lying under the cluster's own state folder; nothing is ended or unmounted by name.
"""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from dev.cluster import network, processes
from dev.cluster.errors import ClusterError
from dev.cluster.layout import Layout

_SHIM = "containerd-shim"
_PATIENCE_S = 20.0


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
    """Return the ids of processes that live under this cluster's shims, at any depth."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (parent := _parent(entry)) is not None:
            parents.setdefault(parent, []).append(int(entry.name))
    waiting, below = shims(layout), []
    while waiting:
        children = parents.get(waiting.pop(), [])
        below += children
        waiting += children
    return below


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
    for folder in (layout.containerd_state, layout.root / "cni-addresses"):
        shutil.rmtree(folder, ignore_errors=True)
    _remove_cgroups()


def _kill_all(layout: Layout) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while pids := [*shims(layout), *container_processes(layout)]:
        if time.monotonic() > deadline:
            raise ClusterError(
                f"Processes {pids[:5]} of the cluster do not end; end them by hand and run this again."
            )
        for pid in reversed(pids):
            if processes.start_time(pid) is not None:
                _kill(pid)
        time.sleep(0.05)
        if all(processes.start_time(pid) is None for pid in pids):
            return


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _remove_cgroups() -> None:
    """Remove the empty cgroups that the kubelet made for pods; those still in use stay."""
    for top in Path("/sys/fs/cgroup").glob("**/kubepods"):
        for folder in sorted([top, *top.glob("**/")], key=lambda path: len(str(path)), reverse=True):
            try:
                folder.rmdir()
            except OSError:
                continue


def _command_line(entry: Path) -> list[str]:
    try:
        return (entry / "cmdline").read_text(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def _parent(entry: Path) -> int | None:
    try:
        stat = (entry / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(stat.rpartition(")")[2].split()[1])
