"""Command lines of etcd and the control plane, the same for local and throw-away clusters. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

Binaries = Mapping[str, Path]


@dataclass(frozen=True)
class ControlPlaneSpec:
    """What differs between one control plane and another: folders, addresses and ports."""

    pki: Path
    config: Path
    etcd_data: Path
    audit_log: Path
    api_port: int
    etcd_port: int
    etcd_peer_port: int
    service_cidr: str
    node_ip: str | None
    durable: bool


def etcd(binaries: Binaries, spec: ControlPlaneSpec) -> list[str]:
    """Return etcd's command line; a throw-away one does not wait for the disk."""
    client = f"http://127.0.0.1:{spec.etcd_port}"
    peer = f"http://127.0.0.1:{spec.etcd_peer_port}"
    command = [
        str(binaries["etcd"]),
        f"--data-dir={spec.etcd_data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--log-level=warn",
    ]
    return command if spec.durable else [*command, "--unsafe-no-fsync"]


def api_server(binaries: Binaries, spec: ControlPlaneSpec) -> list[str]:
    """Return the API server's command line.

    With a node it listens on every address (a packet filter keeps others off) and advertises the node's;
    without one it listens on loopback only and publishes no endpoints, as a loopback address may not be.
    """
    addresses = (
        ["--bind-address=0.0.0.0", f"--advertise-address={spec.node_ip}", *_kubelet_access(spec.pki)]
        if spec.node_ip is not None
        else ["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none"]
    )
    return [
        str(binaries["kube-apiserver"]),
        f"--etcd-servers=http://127.0.0.1:{spec.etcd_port}",
        f"--secure-port={spec.api_port}",
        *addresses,
        f"--service-cluster-ip-range={spec.service_cidr}",
        f"--tls-cert-file={spec.pki}/apiserver.crt",
        f"--tls-private-key-file={spec.pki}/apiserver.key",
        f"--client-ca-file={spec.pki}/ca.crt",
        f"--service-account-key-file={spec.pki}/service-account.pub",
        f"--service-account-signing-key-file={spec.pki}/service-account.key",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        *_aggregation(spec.pki),
        f"--audit-policy-file={spec.config}/audit-policy.yaml",
        f"--audit-log-path={spec.audit_log}",
        "--audit-log-maxsize=200",
        "--audit-log-maxbackup=2",
        "--shutdown-delay-duration=0s",
    ]


def _kubelet_access(pki: Path) -> list[str]:
    return [
        f"--kubelet-client-certificate={pki}/admin.crt",
        f"--kubelet-client-key={pki}/admin.key",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        "--kubelet-preferred-address-types=InternalIP",
    ]


def _aggregation(pki: Path) -> list[str]:
    return [
        f"--requestheader-client-ca-file={pki}/ca.crt",
        "--requestheader-allowed-names=front-proxy",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={pki}/front-proxy.crt",
        f"--proxy-client-key-file={pki}/front-proxy.key",
    ]


def controller_manager(binaries: Binaries, spec: ControlPlaneSpec, port: int) -> list[str]:
    """Return the controller manager's command line, its own API on loopback at `port`."""
    return [
        *_with_kubeconfig(binaries["kube-controller-manager"], spec, "controller-manager", port),
        f"--service-account-private-key-file={spec.pki}/service-account.key",
        f"--root-ca-file={spec.pki}/ca.crt",
        "--use-service-account-credentials",
        f"--cluster-signing-cert-file={spec.pki}/ca.crt",
        f"--cluster-signing-key-file={spec.pki}/ca.key",
    ]


def scheduler(binaries: Binaries, spec: ControlPlaneSpec, port: int) -> list[str]:
    """Return the scheduler's command line, its own API on loopback at `port`."""
    return _with_kubeconfig(binaries["kube-scheduler"], spec, "scheduler", port)


def _with_kubeconfig(binary: Path, spec: ControlPlaneSpec, stem: str, port: int) -> list[str]:
    file = spec.config / f"{stem}.kubeconfig"
    return [
        str(binary),
        f"--kubeconfig={file}",
        f"--authentication-kubeconfig={file}",
        f"--authorization-kubeconfig={file}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        "--leader-elect=false",
        "--kube-api-qps=1000",
        "--kube-api-burst=1000",
    ]


def kwok(binaries: Binaries, spec: ControlPlaneSpec, stages: Path, port: int) -> list[str]:
    """Return the command line of kwok, which plays nodes and pods without running anything."""
    return [
        str(binaries["kwok"]),
        f"--kubeconfig={spec.config}/admin.kubeconfig",
        f"--config={stages}",
        "--manage-all-nodes=true",
        "--node-lease-duration-seconds=40",  # without leases nodes go NotReady after a minute, their pods too
        f"--server-address=127.0.0.1:{port}",
    ]
