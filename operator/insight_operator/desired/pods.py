"""The parts pods are made of: the restricted profile, volumes, spreading, resources. Pure.

Every pod of every child comes from here, so that what the profile asks for is said once.
"""

from typing import Any

from insight_operator import naming
from insight_operator.crd.resources import Resources
from insight_operator.overlays.merging import overlaid
from insight_operator.snapshot import Manifest
from insight_operator.validate import ValidatedEngine

SECRETS_FOLDER = "/var/run/insight"
CONFIG_FOLDER = "/etc/insight"
SOURCES_FILE = "sources.json"
READ_BY_GROUP = 0o440


def container_security(uid: int) -> Manifest:
    """Return the security context of a container, at the restricted profile and beyond."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsGroup": uid,
        "runAsNonRoot": True,
        "runAsUser": uid,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def pod_security(uid: int) -> Manifest:
    """Return the security context of a pod; volumes become readable to the group of the same number."""
    return {
        "fsGroup": uid,
        "fsGroupChangePolicy": "OnRootMismatch",
        "runAsGroup": uid,
        "runAsNonRoot": True,
        "runAsUser": uid,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def resources(wanted: Resources) -> Manifest:
    """Return requests and limits; memory and disk are set aside in full unless the spec says less."""
    limits = {
        "cpu": wanted.limits.cpu,
        "memory": wanted.limits.memory,
        "ephemeral-storage": wanted.limits.ephemeral_storage,
    }
    requests = {
        "cpu": wanted.requests.cpu,
        "memory": wanted.requests.memory or wanted.limits.memory,
        "ephemeral-storage": wanted.requests.ephemeral_storage or wanted.limits.ephemeral_storage,
    }
    return {"requests": requests, "limits": limits}


def environment(values: dict[str, str]) -> list[Manifest]:
    """Return environment entries in a stable order."""
    return [{"name": name, "value": values[name]} for name in sorted(values)]


def secret_volume(secret_set: str, secret: str, *, optional: bool = False) -> Manifest:
    """Return the volume of a secret set; a whole folder, since single files would never be refreshed."""
    absent = {"optional": True} if optional else {}
    return {"name": secret_set, "secret": {"secretName": secret, "defaultMode": READ_BY_GROUP, **absent}}


def secret_mount(secret_set: str) -> Manifest:
    """Return the mount of a secret set where the engine looks for it."""
    return {"name": secret_set, "mountPath": f"{SECRETS_FOLDER}/{secret_set}", "readOnly": True}


def config_volume(config_map: str) -> Manifest:
    """Return the volume of the engine's configuration."""
    return {"name": naming.CONFIG, "configMap": {"name": config_map, "defaultMode": READ_BY_GROUP}}


def config_mount() -> Manifest:
    """Return the mount of the engine's configuration."""
    return {"name": naming.CONFIG, "mountPath": CONFIG_FOLDER, "readOnly": True}


def scratch_volume(name: str, size: str, *, memory: bool = False) -> Manifest:
    """Return a volume that is empty at the start and bounded."""
    medium = {"medium": "Memory"} if memory else {}
    return {"name": name, "emptyDir": {**medium, "sizeLimit": size}}


def mount(name: str, path: str) -> Manifest:
    """Return a writable mount."""
    return {"name": name, "mountPath": path}


def http_probe(path: str, port: str, **timing: int) -> Manifest:
    """Return a probe by HTTP on a named port."""
    return {"httpGet": {"path": path, "port": port, "scheme": "HTTP"}, **timing}


def pod_spec(engine: ValidatedEngine, part: str, uid: int, **body: Any) -> Manifest:
    """Return a pod's spec: the fixed frame around the containers, volumes and whatever else is given."""
    scheduling = engine.spec.scheduling
    spec: Manifest = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(uid),
        "serviceAccountName": naming.child(engine, part),
        **body,
    }
    if engine.spec.image.pull_secrets:
        spec["imagePullSecrets"] = [{"name": secret.name} for secret in engine.spec.image.pull_secrets]
    if scheduling.node_selector:
        spec["nodeSelector"] = dict(scheduling.node_selector)
    if scheduling.tolerations:
        spec["tolerations"] = [
            toleration.model_dump(mode="json", by_alias=True, exclude_none=True)
            for toleration in scheduling.tolerations
        ]
    if scheduling.priority_class_name:
        spec["priorityClassName"] = scheduling.priority_class_name
    return spec


def spreading(engine: ValidatedEngine, part: str) -> Manifest:
    """Return what keeps the pods of a Deployment apart where the cluster has room, and lets one node do."""
    selector = {"matchLabels": naming.selector(engine, part)}
    term = {"labelSelector": selector, "topologyKey": "kubernetes.io/hostname"}
    return {
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]
            }
        },
        "topologySpreadConstraints": [
            {
                "labelSelector": selector,
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "ScheduleAnyway",
            }
        ],
    }


def template(engine: ValidatedEngine, part: str, version: str, spec: Manifest) -> Manifest:
    """Return a pod template that carries the hash of its own rendering."""
    made: Manifest = {
        "metadata": {"labels": naming.labels(engine, part, version=version), "annotations": {}},
        "spec": spec,
    }
    if part in {naming.API, naming.WORKER, naming.MIGRATE}:
        made["metadata"]["labels"] = {**engine.spec.pods.labels, **made["metadata"]["labels"]}
        made["metadata"]["annotations"] = dict(engine.spec.pods.annotations)
    made = overlaid(made, engine.overlays.get(part), naming.selector(engine, part))
    made["metadata"]["annotations"][naming.TEMPLATE_HASH] = naming.digest(made)
    return made
