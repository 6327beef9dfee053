"""A throw-away Kubernetes control plane in a folder: a real etcd and API server, no node, no root.

For tests against a real API server, and for machines that cannot carry the local cluster. Listens on free
loopback ports only, runs beside any other cluster, and can kill or restart its API server for fault tests.
"""

import datetime as dt
import signal
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from dev.cluster import commands, config, gotools, paths, pki
from dev.cluster.api import ApiClient
from dev.cluster.processes import Check, Daemon
from dev.cluster.progress import wait_for

_STAGES = Path(__file__).parent / "addons" / "kwok" / "stages.yaml"
_STARTUP_S = 60.0
_FAKE_NODES = 3


class ControlPlane:
    """One control plane; a context manager that starts on entry and leaves no process behind on exit.

    `controllers` adds the controller manager and the scheduler, `kwok` nodes and pods that only look alive.
    """

    def __init__(self, path: Path, *, controllers: bool = False, kwok: bool = False) -> None:
        self.path = path
        self.kubeconfig = path / "config" / "admin.kubeconfig"
        self.audit_log = path / "audit.log"
        self._names = ["etcd", "kube-apiserver"]
        if controllers or kwok:
            self._names += ["kube-controller-manager", "kube-scheduler"]
        if kwok:
            self._names.append("kwok")
        self._daemons = {name: Daemon(name, path) for name in self._names}
        self._ports = _free_ports(len(self._names) + 1)
        self._binaries = gotools.ensure(tuple(self._names))

    @property
    def url(self) -> str:
        """The API server's address."""
        return f"https://127.0.0.1:{self._ports[0]}"

    def start(self) -> Self:
        """Start everything that does not run and return once the API server is ready.

        Raises ClusterError with the end of a program's log if it ends early or takes longer than a minute.
        """
        self._write_files()
        self._daemons["etcd"].start(commands.etcd(self._binaries, self._spec()), [])
        self.start_api_server()
        for name, command in self._followers().items():
            self._daemons[name].start(command, [])
        if "kwok" in self._names:
            self._add_fake_nodes()
        return self

    def start_api_server(self) -> None:
        """Start the API server, at the same address as before, and wait until it is ready."""
        server = self._daemons["kube-apiserver"]
        server.start(commands.api_server(self._binaries, self._spec()), [])
        client = ApiClient(self.kubeconfig)
        self._wait("the API server to be ready", server, client.ready)

    def kill_api_server(self) -> None:
        """End the API server without warning, as a crash would; its data stays."""
        server = self._daemons["kube-apiserver"]
        server.signal(signal.SIGKILL)
        wait_for("the API server to be gone", lambda: not server.alive(), 10, "see what holds it")

    def freeze_api_server(self) -> None:
        """Suspend the API server: connections stay open and nothing answers."""
        self._daemons["kube-apiserver"].signal(signal.SIGSTOP)

    def thaw_api_server(self) -> None:
        """Let a suspended API server go on."""
        self._daemons["kube-apiserver"].signal(signal.SIGCONT)

    def stop(self) -> None:
        """End every process; the folder stays for whoever wants to read the logs."""
        for name in reversed(self._names):
            self._daemons[name].signal(signal.SIGCONT)
            self._daemons[name].stop(patience_s=3)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _spec(self) -> commands.ControlPlaneSpec:
        api_port, etcd_port, etcd_peer_port = self._ports[:3]
        return commands.ControlPlaneSpec(
            pki=self.path / "pki",
            config=self.path / "config",
            etcd_data=self.path / "etcd",
            audit_log=self.audit_log,
            api_port=api_port,
            etcd_port=etcd_port,
            etcd_peer_port=etcd_peer_port,
            service_cidr="10.96.0.0/16",
            node_ip=None,
            durable=False,
        )

    def _write_files(self) -> None:
        certificates = self.path / "pki"
        pki.ensure(certificates, pki.leaves("none", ("127.0.0.1",)), dt.datetime.now(dt.UTC))
        paths.write_atomically(self.path / "config" / "audit-policy.yaml", config.audit_policy())
        for stem in ("admin", "controller-manager", "scheduler"):
            content = config.kubeconfig(self.url, certificates, stem)
            paths.write_atomically(self.path / "config" / f"{stem}.kubeconfig", content, mode=0o600)

    def _followers(self) -> dict[str, list[str]]:
        spec = self._spec()
        followers: dict[str, list[str]] = {}
        if "kube-controller-manager" in self._names:
            followers["kube-controller-manager"] = commands.controller_manager(
                self._binaries, spec, self._ports[3]
            )
            followers["kube-scheduler"] = commands.scheduler(self._binaries, spec, self._ports[4])
        if "kwok" in self._names:
            followers["kwok"] = commands.kwok(self._binaries, spec, _STAGES, self._ports[5])
        return followers

    def _add_fake_nodes(self) -> None:
        client = ApiClient(self.kubeconfig)
        for number in range(1, _FAKE_NODES + 1):
            client.apply_with_status(_fake_node(f"simulated-{number}"))

    def _wait(self, what: str, daemon: Daemon, ready: Check) -> None:
        def check() -> bool:
            self._daemons["etcd"].require_alive()
            daemon.require_alive()
            return ready()

        wait_for(what, check, _STARTUP_S, f"read {daemon.log}")


def _fake_node(name: str) -> dict[str, object]:
    resources = {"cpu": "64", "memory": "256Gi", "pods": "5000", "ephemeral-storage": "1Ti"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}},
        "status": {"allocatable": resources, "capacity": resources},
    }


def _free_ports(count: int) -> list[int]:
    """Return free loopback ports; all are held until all are known, so no two are the same."""
    held = [socket.socket() for _ in range(count)]
    try:
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in held]
    finally:
        for each in held:
            each.close()
