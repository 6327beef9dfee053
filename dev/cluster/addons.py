"""What every usable cluster has beyond the control plane: DNS and a default StorageClass.

Rendered from addons/*.yaml and applied whole each time; nothing else may be installed here.
"""

from pathlib import Path
from typing import Any

import yaml

from dev.cluster.api import ApiClient
from dev.cluster.layout import Layout

_FOLDER = Path(__file__).parent / "addons"
DEPLOYMENTS = ("coredns", "local-path-provisioner")


def render(layout: Layout, system_image: str) -> list[dict[str, Any]]:
    """Return the manifests of all add-ons with this cluster's addresses filled in."""
    values = {"$(SYSTEM_IMAGE)": system_image, "$(DNS_IP)": layout.dns_ip, "$(VOLUMES)": str(layout.volumes)}
    manifests: list[dict[str, Any]] = []
    for file in sorted(_FOLDER.glob("*.yaml")):
        text = file.read_text()
        for placeholder, value in values.items():
            text = text.replace(placeholder, value)
        manifests += [dict(document) for document in yaml.safe_load_all(text)]
    return manifests


def apply(client: ApiClient, layout: Layout, system_image: str) -> None:
    """Apply every add-on; safe to repeat."""
    for manifest in render(layout, system_image):
        client.apply(manifest)


def unavailable(client: ApiClient) -> list[str]:
    """Return the add-on Deployments that have no available replica at their current generation."""
    return [name for name in DEPLOYMENTS if not _available(client, name)]


def claimed_containers(client: ApiClient) -> set[str]:
    """Return the ids of the containers that the add-ons' pods are said to run in; stale after a hard stop."""
    found = client.get("/api/v1/namespaces/kube-system/pods") or {}
    statuses = [each for pod in found["items"] for each in pod["status"].get("containerStatuses", [])]
    return {
        each["containerID"].removeprefix("containerd://") for each in statuses if "running" in each["state"]
    }


def _available(client: ApiClient, name: str) -> bool:
    found = client.get(f"/apis/apps/v1/namespaces/kube-system/deployments/{name}")
    status = found.get("status", {}) if found else {}
    current = found is not None and status.get("observedGeneration") == found["metadata"]["generation"]
    return current and status.get("availableReplicas", 0) >= 1 and status.get("unavailableReplicas", 0) == 0
