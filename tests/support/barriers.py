"""What a cluster's administrator may put in the way of pods and objects, made real on an API server."""

import base64

from insight_operator import naming
from support.kube_api import KubeApi, Manifest, Refusal
from support.waiting import eventually

STARVED = "starved"
"""A priority class whose pods the quota refuses, and no others."""
MEMORY_MAX = "2Gi"
_POLICIES = "/apis/admissionregistration.k8s.io/v1"
_SCHEDULING = "/apis/scheduling.k8s.io/v1/priorityclasses"


def secret(name: str, values: dict[str, str], labels: dict[str, str] | None = None) -> Manifest:
    """Return a Secret that may be used, unless other labels are given."""
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    labels = {naming.USE_LABEL: "true"} if labels is None else labels
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": labels},
        "data": data,
    }


def starve(kube: KubeApi) -> None:
    """Refuse every pod of the priority class STARVED by a quota of none."""
    priority = {"metadata": {"name": STARVED}, "value": 1, "preemptionPolicy": "Never"}
    try:
        kube.request("POST", _SCHEDULING, priority)
    except Refusal as refusal:
        if refusal.status != 409:  # there already, from another namespace's test
            raise
    only = {"scopeName": "PriorityClass", "operator": "In", "values": [STARVED]}
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "starving"},
        "spec": {"hard": {"pods": "0"}, "scopeSelector": {"matchExpressions": [only]}},
    }
    kube.create(quota)

    def counted() -> bool:
        found = kube.get("ResourceQuota", "starving") or {}
        return bool(found.get("status", {}).get("hard"))

    eventually("the quota is in force", counted, 30)


def limit_memory(kube: KubeApi) -> None:
    """Refuse every pod with a container that may use more than MEMORY_MAX."""
    limit = {"type": "Container", "max": {"memory": MEMORY_MAX}}
    body = {"metadata": {"name": "narrow"}, "spec": {"limits": [limit]}}
    kube.request("POST", f"/api/v1/namespaces/{kube.namespace}/limitranges", body)


def forbid(kube: KubeApi, name: str, groups: str, resource: str, condition: str) -> None:
    """Refuse to create what the CEL condition is true of, by a ValidatingAdmissionPolicy."""
    name = f"{kube.namespace}-{name}"
    rule = {"apiGroups": [groups], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": [resource]}
    policy = {
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": f"!({condition})", "message": "the house rules say no"}],
        },
    }
    here = {"matchLabels": {"kubernetes.io/metadata.name": kube.namespace}}
    binding = {
        "metadata": {"name": name},
        "spec": {
            "policyName": name,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": here},
        },
    }
    kube.request("POST", f"{_POLICIES}/validatingadmissionpolicies", policy)
    kube.request("POST", f"{_POLICIES}/validatingadmissionpolicybindings", binding)


def in_force(kube: KubeApi, path: str, example: Manifest) -> None:
    """Wait until the API server refuses to create the example, which is never stored."""

    def refused() -> bool:
        try:
            kube.request("POST", f"{path}?dryRun=All", example)
        except Refusal as refusal:
            return "house rules" in refusal.message
        return False

    eventually(f"{path} is refused", refused, 30)


def event(kube: KubeApi, pod: Manifest, reason: str, message: str) -> None:
    """Say something of a pod as the kubelet would."""
    metadata = pod["metadata"]
    about = {"kind": "Pod", "name": metadata["name"], "namespace": kube.namespace, "uid": metadata["uid"]}
    body = {
        "metadata": {"generateName": "said-", "namespace": kube.namespace},
        "involvedObject": about,
        "reason": reason,
        "message": message,
        "type": "Warning",
        "source": {"component": "kubelet"},
    }
    kube.request("POST", f"/api/v1/namespaces/{kube.namespace}/events", body)
