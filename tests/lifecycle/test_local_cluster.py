"""The local cluster from nothing to nothing: up, up again, broken and healed, down without a trace.

It runs in a network namespace and a state folder of its own, beside any cluster that is up. Needs root.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.cluster import debs, local, node, paths, processes
from dev.cluster.layout import Layout
from support.waiting import eventually

pytestmark = pytest.mark.timeout(1800)
REFUSAL = local.probe()


class OwnNetwork:
    """A machine within the machine: commands run in a network namespace that has nothing but loopback."""

    def __init__(self, state: Path) -> None:
        self.layout = Layout(state, paths.cache_folder() / "registry")
        self._holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self.environment = {**os.environ, **debs.ensure().environment(), "INSIGHT_STATE": str(state)}
        before = Path("/proc/self/ns/net").readlink()
        while Path(f"/proc/{self._holder.pid}/ns/net").readlink() == before:
            assert self._holder.poll() is None
        self.run("ip", "link", "set", "lo", "up")

    def run(self, *command: str) -> str:
        done = subprocess.run(
            ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", *command],
            env=self.environment,
            cwd=paths.REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def cluster(self, command: str) -> str:
        return self.run(sys.executable, "-m", "dev.cluster", command)

    def api(self, path: str) -> str:
        reader = "import sys; from pathlib import Path; from dev.cluster.api import ApiClient; "
        reader += "import json; print(json.dumps(ApiClient(Path(sys.argv[1])).get(sys.argv[2])))"
        return self.run(sys.executable, "-c", reader, str(self.layout.kubeconfig), path)

    def pids(self) -> dict[str, int]:
        records = sorted((self.layout.root / "run").glob("kube*.json")) + [
            self.layout.root / "run" / f"{name}.json" for name in ("containerd", "etcd", "registry")
        ]
        return {record.stem: int(json.loads(record.read_text())["pid"]) for record in records}

    def running_pods(self) -> list[str]:
        pods = json.loads(self.api("/api/v1/namespaces/kube-system/pods"))["items"]
        return [pod["metadata"]["name"] for pod in pods if pod["status"]["phase"] == "Running"]

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()


@pytest.fixture
def outside(machine: OwnNetwork) -> Iterator[None]:
    machine.run("ip", "link", "add", "outside", "type", "bridge")
    machine.run("ip", "addr", "add", "198.51.100.1/24", "dev", "outside")
    machine.run("ip", "link", "set", "outside", "up")
    yield
    machine.run("ip", "link", "del", "outside")


@pytest.fixture(scope="module")
def machine() -> Iterator[OwnNetwork]:
    if REFUSAL is not None:
        pytest.skip(f"no local cluster on this machine: {REFUSAL}")
    made = OwnNetwork(Path("/var/lib/insight-lifecycle-test"))
    made.cluster("down")
    made.cluster("up")
    yield made
    made.cluster("down")
    made.close()


def test_up_ends_with_dns_and_volumes_running(machine: OwnNetwork) -> None:
    assert len(machine.running_pods()) == 2


def test_second_up_restarts_nothing_and_takes_less_than_three_seconds(machine: OwnNetwork) -> None:
    before, started = machine.pids(), time.monotonic()
    machine.cluster("up")
    assert machine.pids() == before
    assert time.monotonic() - started < 3


def test_killed_kubelet_and_api_server_come_back_and_nothing_else_restarts(machine: OwnNetwork) -> None:
    before = machine.pids()
    for name in ("kubelet", "kube-apiserver"):
        os.kill(before[name], signal.SIGKILL)
    machine.cluster("up")
    after = machine.pids()
    assert {name for name in before if before[name] != after[name]} == {"kubelet", "kube-apiserver"}
    assert len(machine.running_pods()) == 2


def test_hard_stop_of_everything_heals(machine: OwnNetwork) -> None:
    shims = node.shims(machine.layout)
    assert shims
    for pid in (*machine.pids().values(), *shims):
        os.kill(pid, signal.SIGKILL)
    machine.run("ip", "route", "del", "unreachable", machine.layout.pod_cidr, "metric", "9999")
    machine.cluster("up")
    assert len(machine.running_pods()) == 2
    assert f"unreachable {machine.layout.pod_cidr}" in machine.run("ip", "route")


def inside(pod: Path, *command: str) -> str:
    """Return what a command prints in a pod's network, errors included."""
    called = ["nsenter", f"--net={pod}", *command]
    done = subprocess.run(called, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout


def test_pod_traffic_that_would_leave_the_machine_is_refused_at_once(
    machine: OwnNetwork, outside: None
) -> None:
    networks = machine.layout.containerd_state

    def connected() -> Path | None:
        # The file is there before the pod has its address and its routes.
        return next(
            (pod for pod in networks.glob("*/netns/*") if "default" in inside(pod, "ip", "route")), None
        )

    pod = eventually("a pod's network", connected, within_s=60)
    connect = "import socket; socket.create_connection(('198.51.100.7', 80), timeout=5)"
    assert "Connection refused" in inside(pod, sys.executable, "-c", connect)


def test_down_leaves_no_trace_and_keeps_the_cache(machine: OwnNetwork) -> None:
    root, pids = machine.layout.root, machine.pids()
    machine.cluster("down")
    assert not root.exists()
    assert [name for name, pid in pids.items() if processes.start_time(pid) is not None] == []
    assert node.shims(machine.layout) + node.container_processes(machine.layout) == []
    assert node.mounts(root) == []
    assert [path for path in node.cgroups(machine.layout) if path.exists()] == []
    links = json.loads(machine.run("ip", "-json", "link"))
    assert [link["ifname"] for link in links] == ["lo"]
    assert machine.run("ip", "route").strip() == ""
    assert machine.run("nft", "list", "tables").strip() == ""
    assert (paths.cache_folder() / "go").exists()


def test_down_twice_is_fine(machine: OwnNetwork) -> None:
    assert "No local cluster" in machine.cluster("down")
