"""The local cluster's addresses, names and folders in one frozen value. Pure: touches nothing.

A machine carries one local cluster, since kube-proxy owns one table of the network namespace it runs in.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

LOCAL_API_PORT = 6443


@dataclass(frozen=True)
class Layout:
    """Where one local cluster keeps its files and which addresses it uses."""

    root: Path
    registry_root: Path
    pod_cidr: str = "10.244.0.0/16"
    node_pod_cidr: str = "10.244.0.0/24"
    service_cidr: str = "10.96.0.0/16"
    service_api_ip: str = "10.96.0.1"
    dns_ip: str = "10.96.0.10"
    node_ip: str = "10.244.255.1"
    node_name: str = "node1"
    node_bridge: str = "node0"
    pod_bridge: str = "cni0"
    guard_table: str = "insight-guard"
    api_port: int = LOCAL_API_PORT
    etcd_port: int = 2379
    etcd_peer_port: int = 2380
    registry_port: int = 5000

    @property
    def instance(self) -> str:
        """A name of this cluster that no other one on the machine has."""
        return f"insight-{hashlib.sha256(str(self.root).encode()).hexdigest()[:8]}"

    @property
    def pki(self) -> Path:
        """Folder of certificates and keys."""
        return self.root / "pki"

    @property
    def config(self) -> Path:
        """Folder of rendered settings."""
        return self.root / "config"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, for people and tests."""
        return self.root / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        """The API server's audit log, one JSON event a line."""
        return self.root / "audit" / "audit.log"

    @property
    def containerd_root(self) -> Path:
        """Images and snapshots of containerd."""
        return self.root / "containerd"

    @property
    def containerd_state(self) -> Path:
        """Running tasks and network namespaces of containerd."""
        return self.root / "containerd-state"

    @property
    def containerd_socket(self) -> Path:
        """The socket the kubelet and image imports use."""
        return self.root / "containerd.sock"

    @property
    def kubelet_root(self) -> Path:
        """The kubelet's pod folders, with mounts below."""
        return self.root / "kubelet"

    @property
    def volumes(self) -> Path:
        """Data of PersistentVolumes made by the local-path provisioner."""
        return self.root / "volumes"

    @property
    def server_url(self) -> str:
        """Where programs on this machine reach the API server."""
        return f"https://127.0.0.1:{self.api_port}"
