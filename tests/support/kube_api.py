"""A synchronous client for tests against a real API server, by kind and name, on the operator's own table."""

import copy
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from insight_operator.cluster import kinds, login

Manifest = dict[str, Any]

_MORE = {
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "ResourceQuota": "/api/v1/namespaces/{}/resourcequotas",
}

# As kubectl asks: a misspelt field is refused, not dropped.
_STRICT = "?fieldValidation=Strict"


class Refusal(Exception):  # noqa: N818 - reads as what the server answered
    """The API server refused a request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


@dataclass(frozen=True)
class KubeApi:
    """One API server as an administrator, one namespace."""

    kubeconfig: Path
    namespace: str = "default"

    def within(self, namespace: str) -> "KubeApi":
        """Return the same server with another namespace."""
        return KubeApi(self.kubeconfig, namespace)

    def request(
        self, method: str, path: str, body: object = None, content_type: str = "application/json"
    ) -> Any:
        """Send one request and return the answer. Raises Refusal."""
        found = login.from_kubeconfig(self.kubeconfig)
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            found.server + path, data, {"Content-Type": content_type}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=30, context=found.tls) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refusal:
            status = json.load(refusal)
            raise Refusal(refusal.code, str(status.get("message"))) from None

    def path(self, kind: str, name: str = "") -> str:
        """Return the path of a collection or object in the namespace."""
        if kind in _MORE:
            return f"{_MORE[kind].format(self.namespace)}/{name}".rstrip("/")
        return kinds.BY_KIND[kind].path(self.namespace, name)

    def create(self, manifest: Manifest) -> Manifest:
        """Create an object in the namespace."""
        body = copy.deepcopy(manifest)
        body["metadata"].setdefault("namespace", self.namespace)
        made: Manifest = self.request("POST", f"{self.path(manifest['kind'])}{_STRICT}", body)
        return made

    def get(self, kind: str, name: str) -> Manifest | None:
        """Return an object, or None."""
        try:
            found: Manifest = self.request("GET", self.path(kind, name))
        except Refusal as refusal:
            if refusal.status == 404:
                return None
            raise
        return found

    def list(self, kind: str) -> list[Manifest]:
        """Return all objects of a kind in the namespace."""
        found: list[Manifest] = self.request("GET", self.path(kind))["items"]
        return [{"kind": kind, **item} for item in found]

    def patch(self, kind: str, name: str, changes: Manifest, manager: str = "kubectl-edit") -> Manifest:
        """Merge changes into an object as some other manager would."""
        patched: Manifest = self.request(
            "PATCH",
            f"{self.path(kind, name)}?fieldManager={manager}",
            changes,
            "application/merge-patch+json",
        )
        return patched

    def strategic(self, kind: str, name: str, changes: Manifest, manager: str = "kubectl-edit") -> Manifest:
        """Merge changes list item by list item, as `kubectl patch` does."""
        patched: Manifest = self.request(
            "PATCH",
            f"{self.path(kind, name)}?fieldManager={manager}",
            changes,
            "application/strategic-merge-patch+json",
        )
        return patched

    def delete(self, kind: str, name: str, policy: str = "Background") -> None:
        """Delete an object."""
        self.request("DELETE", self.path(kind, name), {"propagationPolicy": policy})
