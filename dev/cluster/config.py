"""Renders the settings files of every cluster component. Pure: text out, nothing written.

Each unusual setting is here because a bare machine refused the usual one; docs/local-cluster.md tells which.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dev.cluster.layout import Layout

Document = dict[str, Any]


def kubeconfig(server: str, pki: Path, stem: str) -> str:
    """Render a kubeconfig that logs in at `server` with the certificate `stem`."""
    cluster = {"server": server, "certificate-authority": str(pki / "ca.crt")}
    user = {"client-certificate": str(pki / f"{stem}.crt"), "client-key": str(pki / f"{stem}.key")}
    return _yaml(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "insight-local", "cluster": cluster}],
            "users": [{"name": stem, "user": user}],
            "contexts": [{"name": "insight-local", "context": {"cluster": "insight-local", "user": stem}}],
            "current-context": "insight-local",
        }
    )


def audit_policy() -> str:
    """Render the audit policy: all requests, as metadata, but the control plane's own reads and leases."""
    own_users = [
        "system:apiserver",
        "system:kube-controller-manager",
        "system:kube-scheduler",
        "system:kube-proxy",
    ]
    reads = ["get", "list", "watch"]
    own_groups = ["system:nodes", "system:serviceaccounts:kube-system"]
    leases = [{"group": "coordination.k8s.io", "resources": ["leases"]}]
    return _yaml(
        {
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": ["RequestReceived"],
            "rules": [
                {"level": "None", "users": own_users, "verbs": reads},
                {"level": "None", "userGroups": own_groups, "verbs": reads},
                {"level": "None", "users": own_users, "resources": leases},
                {"level": "None", "userGroups": own_groups, "resources": leases},
                {"level": "None", "nonResourceURLs": ["/readyz*", "/livez*", "/healthz*"]},
                {"level": "Metadata"},
            ],
        }
    )


def containerd(layout: Layout, cni_plugins: Path, sandbox_image: str) -> str:
    """Render containerd's configuration; folders, sockets, network namespaces are under the state folder."""
    return f"""version = 2
root = "{layout.containerd_root}"
state = "{layout.containerd_state}"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "{layout.containerd_socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{sandbox_image}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni_plugins}"
    conf_dir = "{layout.config}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        Root = "{layout.containerd_state}/runc"
"""


def cni(layout: Layout) -> str:
    """Render the pod network: one bridge, no masquerade, address book under the state folder."""
    ipam = {
        "type": "host-local",
        "dataDir": str(layout.root / "cni-addresses"),
        "ranges": [[{"subnet": layout.node_pod_cidr}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {
        "type": "bridge",
        "bridge": layout.pod_bridge,
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
    }
    return json.dumps(
        {"cniVersion": "1.0.0", "name": layout.instance, "plugins": [{**bridge, "ipam": ipam}]}, indent=1
    )


def kubelet(layout: Layout) -> str:
    """Render the kubelet's configuration for a machine without systemd, with either cgroup version."""
    authentication = {
        "anonymous": {"enabled": False},
        "webhook": {"enabled": True},
        "x509": {"clientCAFile": str(layout.pki / "ca.crt")},
    }
    return _yaml(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": layout.node_ip,
            "healthzBindAddress": "127.0.0.1",
            "authentication": authentication,
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(layout.pki / "node.crt"),
            "tlsPrivateKeyFile": str(layout.pki / "node.key"),
            "containerRuntimeEndpoint": f"unix://{layout.containerd_socket}",
            "clusterDNS": [layout.dns_ip],
            "clusterDomain": "cluster.local",
            "resolvConf": "/dev/null",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{layout.instance}",
            "cgroupsPerQOS": True,
            "enforceNodeAllocatable": [],
            "failCgroupV1": False,
            "failSwapOn": False,
            "oomScoreAdj": 0,
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "1%",
                "imagefs.available": "1%",
            },
            "imageGCHighThresholdPercent": 100,
            "syncFrequency": "10s",
            "configMapAndSecretChangeDetectionStrategy": "Watch",
            "serializeImagePulls": False,
        }
    )


def kube_proxy(layout: Layout) -> str:
    """Render kube-proxy's configuration; node ports answer on the node's own address only."""
    return _yaml(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clientConnection": {"kubeconfig": str(layout.config / "proxy.kubeconfig")},
            "clusterCIDR": layout.pod_cidr,
            "hostnameOverride": layout.node_name,
            "nodePortAddresses": ["primary"],
            "healthzBindAddress": "127.0.0.1:10256",
            "metricsBindAddress": "127.0.0.1:10249",
            "oomScoreAdj": 0,
            "conntrack": {"maxPerCore": 0, "min": 0},
            "nftables": {"minSyncPeriod": "100ms"},
        }
    )


def registry(layout: Layout) -> str:
    """Render the image registry's configuration: loopback only."""
    return _yaml(
        {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(layout.registry_root)},
                "delete": {"enabled": True},
            },
            "http": {"addr": f"127.0.0.1:{layout.registry_port}"},
        }
    )


def files(layout: Layout, cni_plugins: Path, sandbox_image: str) -> Mapping[Path, str]:
    """Return every settings file of the local cluster: path → content."""
    node_server = f"https://{layout.node_ip}:{layout.api_port}"
    kubeconfigs = {
        layout.config / f"{stem}.kubeconfig": kubeconfig(node_server, layout.pki, stem)
        for stem in ("controller-manager", "scheduler", "proxy", "node")
    }
    return {
        **kubeconfigs,
        layout.config / "audit-policy.yaml": audit_policy(),
        layout.config / "containerd.toml": containerd(layout, cni_plugins, sandbox_image),
        layout.config / "cni" / "10-pods.conflist": cni(layout),
        layout.config / "kubelet.yaml": kubelet(layout),
        layout.config / "kube-proxy.yaml": kube_proxy(layout),
        layout.config / "registry.yaml": registry(layout),
    }


def _yaml(document: Document) -> str:
    return yaml.safe_dump(document, sort_keys=False)
