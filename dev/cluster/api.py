"""A very small Kubernetes client for bringing a cluster up: readiness, reads and server-side apply.

Uses only the standard library, so that `up` needs no kubectl. The product's own client is elsewhere.
"""

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from dev.cluster.errors import ClusterError

Manifest = dict[str, Any]

_CLUSTER_SCOPED = frozenset({"ClusterRole", "ClusterRoleBinding", "StorageClass", "Node", "Namespace"})
_PLURALS = {"StorageClass": "storageclasses"}
_TIMEOUT_S = 10.0
_NOT_FOUND = 404


class ApiClient:
    """Talks to one API server with the certificates that its kubeconfig names."""

    def __init__(self, kubeconfig: Path) -> None:
        document = yaml.safe_load(kubeconfig.read_text())
        self.server: str = document["clusters"][0]["cluster"]["server"]
        authority = document["clusters"][0]["cluster"]["certificate-authority"]
        user = document["users"][0]["user"]
        self._tls = ssl.create_default_context(cafile=authority)
        self._tls.load_cert_chain(user["client-certificate"], user["client-key"])

    def ready(self) -> bool:
        """Tell whether the API server answers that it is ready."""
        try:
            self._request("GET", "/readyz")
        except (OSError, ClusterError):
            return False
        return True

    def get(self, path: str) -> Manifest | None:
        """Return the object at an API path, None if there is none.

        Raises ClusterError with the server's message on any other refusal.
        """
        answer = self._request("GET", path, missing_ok=True)
        return None if answer is None else dict(json.loads(answer))

    def apply(self, manifest: Manifest) -> None:
        """Server-side apply one object as field manager `insight-dev`, taking over conflicting fields."""
        path = f"{object_path(manifest)}?fieldManager=insight-dev&force=true"
        self._request("PATCH", path, json.dumps(manifest).encode(), "application/apply-patch+yaml")

    def apply_with_status(self, manifest: Manifest) -> None:
        """Apply one object and then its status, which the API server drops from the first request."""
        self.apply(manifest)
        path = f"{object_path(manifest)}/status?fieldManager=insight-dev&force=true"
        self._request("PATCH", path, json.dumps(manifest).encode(), "application/apply-patch+yaml")

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        content_type: str = "",
        *,
        missing_ok: bool = False,
    ) -> bytes | None:
        headers = {"Content-Type": content_type} if body is not None else {}
        headers["User-Agent"] = "insight-dev"
        request = urllib.request.Request(self.server + path, data=body, headers=headers, method=method)  # noqa: S310 - always https
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S, context=self._tls) as answer:  # noqa: S310
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as refusal:
            if refusal.code == _NOT_FOUND and missing_ok:
                return None
            message = refusal.read().decode(errors="replace")[:500]
            raise ClusterError(
                f"The API server refused {method} {path} with {refusal.code}: {message}"
            ) from None


def object_path(manifest: Manifest) -> str:
    """Return the API path of an object of the few kinds that the cluster's own add-ons use."""
    version, kind = manifest["apiVersion"], manifest["kind"]
    prefix = f"/api/{version}" if version == "v1" else f"/apis/{version}"
    plural = _PLURALS.get(kind, f"{kind.lower()}s")
    name = manifest["metadata"]["name"]
    if kind in _CLUSTER_SCOPED:
        return f"{prefix}/{plural}/{name}"
    return f"{prefix}/namespaces/{manifest['metadata']['namespace']}/{plural}/{name}"
