"""The local cluster: a real Kubernetes on this Linux machine, every part of it under one state folder.

`up` repairs whatever half of it is missing, `down` leaves nothing but the cache. Needs root; see `probe`.
"""

import datetime as dt
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from dev.cluster import (
    addons,
    commands,
    config,
    debs,
    gotools,
    network,
    node,
    paths,
    pki,
    processes,
    system_image,
)
from dev.cluster.api import ApiClient
from dev.cluster.errors import ClusterError
from dev.cluster.layout import Layout
from dev.cluster.processes import Daemon
from dev.cluster.progress import step, wait_for

DAEMONS = (
    "registry",
    "kube-proxy",
    "kubelet",
    "kube-scheduler",
    "kube-controller-manager",
    "kube-apiserver",
    "etcd",
    "containerd",
)
_STOP_ORDER = (
    "kubelet",
    "kube-proxy",
    "registry",
    "kube-scheduler",
    "kube-controller-manager",
    "kube-apiserver",
    "etcd",
)
_CONTROLLER_MANAGER_PORT, _SCHEDULER_PORT = 10257, 10259


def default_layout() -> Layout:
    """Return the local cluster's layout; pushed images lie in the cache, so pushing again is free."""
    return Layout(paths.state_folder(), paths.cache_folder() / "registry")


class LocalCluster:
    """One local cluster, named by its state folder."""

    def __init__(self, layout: Layout | None = None) -> None:
        self.layout = layout or default_layout()
        self.daemons = {name: Daemon(name, self.layout.root) for name in DAEMONS}

    def up(self) -> None:
        """Bring the cluster up, or whatever part of it is not; return once DNS and volumes work."""
        with paths.exclusive("cluster"):
            binaries, tools = gotools.ensure(gotools.LOCAL_CLUSTER), debs.ensure()
            os.environ.update(tools.environment())
            self._release_old_boot()
            network.up(self.layout)
            reference, archive = system_image.ensure(binaries, tools)
            self._write_files(config.files(self.layout, tools.cni_plugins, reference))
            self._start_runtime(tools, archive, reference)
            client = self._start_control_plane(binaries)
            self._start_node(binaries)
            self._settle(client, reference)

    def down(self) -> None:
        """Take every trace away: processes, containers, mounts, links, routes, tables, state folder."""
        with paths.exclusive("cluster"):
            if self.layout.root.exists() or network.link_exists(self.layout.node_bridge):
                os.environ.update(debs.ensure().environment())
                with step("Stopping the local cluster"):
                    self._stop_everything()
            shutil.rmtree(self.layout.root, ignore_errors=True)

    def status(self) -> dict[str, str]:
        """Return each part's state in words."""
        state = {name: "running" if daemon.alive() else "stopped" for name, daemon in self.daemons.items()}
        state["api"] = "ready" if self.ready() else "not ready"
        return state

    def ready(self) -> bool:
        """Tell whether the API server answers."""
        return self.layout.kubeconfig.exists() and ApiClient(self.layout.kubeconfig).ready()

    def import_archive(self, archive: Path) -> None:
        """Load an image archive into the node's image store."""
        network.run([*self._ctr(), "images", "import", str(archive)])

    def _ctr(self) -> list[str]:
        return ["ctr", "--address", str(self.layout.containerd_socket), "--namespace", "k8s.io"]

    def _release_old_boot(self) -> None:
        """Clear what a dead containerd left: after a reboot its tasks are gone but not their mounts."""
        if self.daemons["containerd"].alive() or not self.layout.root.exists():
            return
        if node.shims(self.layout):
            return
        self.daemons["kubelet"].stop()
        node.clear(self.layout)

    def _write_files(self, files: Mapping[Path, str]) -> None:
        layout = self.layout
        layout.root.mkdir(parents=True, exist_ok=True)
        for folder in (layout.volumes, layout.audit_log.parent, layout.kubelet_root):
            folder.mkdir(parents=True, exist_ok=True)
        addresses = ("127.0.0.1", layout.node_ip, layout.service_api_ip)
        pki.ensure(layout.pki, pki.leaves(layout.node_name, addresses), dt.datetime.now(dt.UTC))
        for path, content in files.items():
            paths.write_atomically(path, content)
        admin = config.kubeconfig(layout.server_url, layout.pki, "admin")
        paths.write_atomically(layout.kubeconfig, admin, mode=0o600)

    def _start_runtime(self, tools: debs.Debs, archive: Path, reference: str) -> None:
        settings = self.layout.config / "containerd.toml"
        daemon = self.daemons["containerd"]
        daemon.start([str(tools.program("containerd")), "-c", str(settings)], [settings])
        self._wait("containerd to answer", daemon, lambda: _succeeds([*self._ctr(), "version"]))
        listed = network.run([*self._ctr(), "images", "list", "-q"])
        if reference not in listed.split():
            self.import_archive(archive)

    def _start_control_plane(self, binaries: commands.Binaries) -> ApiClient:
        spec = self._spec()
        policy = self.layout.config / "audit-policy.yaml"
        self.daemons["etcd"].start(commands.etcd(binaries, spec), [])
        server = self.daemons["kube-apiserver"]
        server.start(commands.api_server(binaries, spec), [policy])
        registry_settings = self.layout.config / "registry.yaml"
        self.daemons["registry"].start(
            [str(binaries["registry"]), "serve", str(registry_settings)], [registry_settings]
        )
        client = ApiClient(self.layout.kubeconfig)
        self._wait("the API server to be ready", server, client.ready)
        for name, command in (
            (
                "kube-controller-manager",
                commands.controller_manager(binaries, spec, _CONTROLLER_MANAGER_PORT),
            ),
            ("kube-scheduler", commands.scheduler(binaries, spec, _SCHEDULER_PORT)),
        ):
            self.daemons[name].start(command, [])
        return client

    def _spec(self) -> commands.ControlPlaneSpec:
        layout = self.layout
        return commands.ControlPlaneSpec(
            pki=layout.pki,
            config=layout.config,
            etcd_data=layout.root / "etcd",
            audit_log=layout.audit_log,
            api_port=layout.api_port,
            etcd_port=layout.etcd_port,
            etcd_peer_port=layout.etcd_peer_port,
            service_cidr=layout.service_cidr,
            node_ip=layout.node_ip,
            durable=True,
        )

    def _start_node(self, binaries: commands.Binaries) -> None:
        layout = self.layout
        node.make_cgroups(layout)
        kubelet_settings = layout.config / "kubelet.yaml"
        kubelet = [
            str(binaries["kubelet"]),
            f"--config={kubelet_settings}",
            f"--kubeconfig={layout.config}/node.kubeconfig",
            f"--hostname-override={layout.node_name}",
            f"--root-dir={layout.kubelet_root}",
            f"--cert-dir={layout.pki}",
            f"--node-ip={layout.node_ip}",
        ]
        self.daemons["kubelet"].start(kubelet, [kubelet_settings, layout.config / "cni" / "10-pods.conflist"])
        proxy_settings = layout.config / "kube-proxy.yaml"
        self.daemons["kube-proxy"].start(
            [str(binaries["kube-proxy"]), f"--config={proxy_settings}"], [proxy_settings]
        )

    def _settle(self, client: ApiClient, reference: str) -> None:
        layout = self.layout
        self._wait(
            "the node to be Ready", self.daemons["kubelet"], lambda: _node_ready(client, layout.node_name)
        )
        addons.apply(client, layout, reference)
        kubelet = self.daemons["kubelet"]
        self._wait("DNS and volumes to be available", kubelet, lambda: self._addons_run(client))
        for daemon in self.daemons.values():
            daemon.require_alive()

    def _addons_run(self, client: ApiClient) -> bool:
        """Ask containerd too: after a hard stop the API server still tells of pods that ran before it."""
        if addons.unavailable(client):
            return False
        tasks = network.run([*self._ctr(), "tasks", "list"]).splitlines()
        running = {line.split()[0] for line in tasks if line.endswith("RUNNING")}
        return addons.claimed_containers(client) <= running

    def _wait(self, what: str, daemon: Daemon, ready: processes.Check) -> None:
        def check() -> bool:
            daemon.require_alive()
            return ready()

        wait_for(what, check, 120, f"read {daemon.log}, or start afresh with `make down`")

    def _stop_everything(self) -> None:
        for name in _STOP_ORDER[:2]:
            self.daemons[name].stop()
        self.daemons["containerd"].stop()
        node.clear(self.layout)
        for name in _STOP_ORDER[2:]:
            self.daemons[name].stop()
        network.down(self.layout)


def probe() -> str | None:
    """Return why this machine cannot carry a local cluster, None if it can; tries, and undoes, each thing."""
    if os.geteuid() != 0:
        return "it needs root"
    try:
        if shutil.which("ip") is None:
            os.environ.update(debs.ensure().environment())
    except ClusterError as refusal:
        return str(refusal)
    trial_cgroup = Path("/sys/fs/cgroup/pids" if Path("/sys/fs/cgroup/pids").exists() else "/sys/fs/cgroup")
    trial_cgroup /= f"insight-probe-{os.getpid()}"
    try:
        trial_cgroup.mkdir()
        trial_cgroup.rmdir()
    except OSError as refusal:
        return f"it may not make cgroups ({refusal.strerror})"
    for wish, command in (
        ("mount", ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]),
        ("make bridges", ["unshare", "--net", "ip", "link", "add", "probe0", "type", "bridge"]),
    ):
        try:
            if not _succeeds(command):
                return f"it may not {wish}"
        except ClusterError as missing:
            return str(missing)
    return None


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=10).returncode == 0
    except FileNotFoundError:
        raise ClusterError(f"there is no program {command[0]} here") from None
    except subprocess.TimeoutExpired:
        return False


def _node_ready(client: ApiClient, name: str) -> bool:
    found = client.get(f"/api/v1/nodes/{name}")
    conditions = found.get("status", {}).get("conditions", []) if found else []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
