"""Overlays that must be refused: what is wrong, for which component, and the field the refusal must name."""

from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]
BOUNDS = {"limits": {"cpu": "100m", "memory": "64Mi", "ephemeral-storage": "64Mi"}}
SCRATCH = {"name": "scratch", "emptyDir": {"sizeLimit": "1Mi"}}


def sidecar(**body: Any) -> Manifest:
    """Return a container that is fine, with changes."""
    return {"name": "sidecar", "image": "example.invalid/sidecar:1", "resources": BOUNDS} | body


@dataclass(frozen=True)
class Hostile:
    """One overlay to refuse. `field` is relative to `podOverlays.<component>`."""

    name: str
    overlay: Manifest
    field: str
    component: str = "api"


def _spec(name: str, field: str, /, **spec: Any) -> Hostile:
    return Hostile(name, {"spec": spec}, f"spec.{field}")


def _side(name: str, field: str, /, **body: Any) -> Hostile:
    return _spec(name, f"containers[0].{field}", containers=[sidecar(**body)])


def _secure(name: str, field: str, **context: Any) -> Hostile:
    return _side(name, f"securityContext.{field}", securityContext=context)


def _own(name: str, field: str, component: str = "api", container: str = "api", **body: Any) -> Hostile:
    spec = {"containers": [{"name": container, **body}], "volumes": [SCRATCH]}
    return Hostile(name, {"spec": spec}, f"spec.containers[0].{field}", component)


def _volume(name: str, field: str, /, **volume: Any) -> Hostile:
    return _spec(name, f"volumes[0]{field}", volumes=[{"name": "extra"} | volume])


def _mount(path: str, component: str = "api", container: str = "api") -> Hostile:
    mounts = [{"name": "scratch", "mountPath": path}]
    return _own(
        f"something over {path} of {component}",
        "volumeMounts[0].mountPath",
        component,
        container,
        volumeMounts=mounts,
    )


def _env(name: str, component: str = "api", container: str = "api") -> Hostile:
    env = [{"name": name, "value": "x"}]
    return _own(f"{name} of {component}", "env[0].name", component, container, env=env)


_HOOK = {"exec": {"command": ["true"]}}
_OWNED: dict[str, Any] = {
    "image": "example.invalid/mine:1",
    "command": ["sh"],
    "args": ["-c", "env"],
    "workingDir": "/",
    "envFrom": [{"configMapRef": {"name": "x"}}],
    "ports": [{"containerPort": 1}],
    "livenessProbe": _HOOK,
    "lifecycle": {"preStop": _HOOK},
    "securityContext": {"readOnlyRootFilesystem": False},
    "resources": BOUNDS,
    "imagePullPolicy": "Never",
}
HOSTILE = (
    # the node
    *(
        _spec(f"{field} of the node", field, **{field: True})
        for field in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace")
    ),
    _spec("a node past the scheduler", "nodeName", nodeName="node-1"),
    _volume("a folder of the node", ".hostPath", hostPath={"path": "/"}),
    _volume("a network share", ".nfs", nfs={"server": "nfs.invalid", "path": "/"}),
    _side("a port of the node", "ports[0].hostPort", ports=[{"containerPort": 1, "hostPort": 1}]),
    _spec(
        "a setting of the node",
        "securityContext.sysctls[0].name",
        securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]},
    ),
    _spec(
        "Windows' host process",
        "securityContext.windowsOptions",
        securityContext={"windowsOptions": {"hostProcess": True}},
    ),
    # rights
    _secure("privileged", "privileged", privileged=True),
    _secure("privileges won later", "allowPrivilegeEscalation", allowPrivilegeEscalation=True),
    _secure("root", "runAsUser", runAsUser=0),
    _secure("perhaps root", "runAsNonRoot", runAsNonRoot=False),
    _secure("a capability", "capabilities.add[0]", capabilities={"add": ["SYS_ADMIN"]}),
    _secure(
        "the second capability", "capabilities.add[1]", capabilities={"add": ["NET_BIND_SERVICE", "NET_RAW"]}
    ),
    _secure("no seccomp", "seccompProfile.type", seccompProfile={"type": "Unconfined"}),
    _secure("no AppArmor", "appArmorProfile.type", appArmorProfile={"type": "Unconfined"}),
    _secure("all of /proc", "procMount", procMount="Unmasked"),
    _secure("another SELinux type", "seLinuxOptions.type", seLinuxOptions={"type": "spc_t"}),
    _secure("another SELinux user", "seLinuxOptions.user", seLinuxOptions={"user": "system_u"}),
    _spec(
        "SELinux for the pod",
        "securityContext.seLinuxOptions.role",
        securityContext={"seLinuxOptions": {"role": "sysadm_r"}},
    ),
    _spec("root for the pod", "securityContext.runAsUser", securityContext={"runAsUser": 0}),
    _spec(
        "perhaps root for the pod", "securityContext.runAsNonRoot", securityContext={"runAsNonRoot": False}
    ),
    _spec("a group for the pod", "securityContext.fsGroup", securityContext={"fsGroup": 0}),
    _spec(
        "no seccomp for the pod",
        "securityContext.seccompProfile",
        securityContext={"seccompProfile": {"type": "Unconfined"}},
    ),
    Hostile(
        "AppArmor off by annotation",
        {"metadata": {"annotations": {"container.apparmor.security.beta.kubernetes.io/api": "unconfined"}}},
        "metadata.annotations.container.apparmor.security.beta.kubernetes.io/api",
    ),
    _spec(
        "an init container that is privileged",
        "initContainers[0].securityContext.privileged",
        initContainers=[sidecar(securityContext={"privileged": True})],
    ),
    # tokens and accounts
    _spec("another service account", "serviceAccountName", serviceAccountName="cluster-admin"),
    _spec("its old spelling", "serviceAccount", serviceAccount="cluster-admin"),
    _spec("a token", "automountServiceAccountToken", automountServiceAccountToken=True),
    _volume(
        "a token by a projection",
        ".projected.sources[0].serviceAccountToken",
        projected={"sources": [{"serviceAccountToken": {"path": "token"}}]},
    ),
    # what the operator owns
    *(_own(f"another {field}", field, **{field: value}) for field, value in _OWNED.items()),
    _own("another command of PostgreSQL", "command", "database", "postgres", command=["sh"]),
    _own("another command of Redis", "args", "broker", "redis", args=["--requirepass", "x"]),
    _own("another command of the worker", "command", "worker", "worker", command=["sh"]),
    _own("another command of the migration", "command", "migrate", "migrate", command=["true"]),
    Hostile(
        "another command of PostgreSQL's first step",
        {"spec": {"initContainers": [{"name": "initialise", "command": ["true"]}]}},
        "spec.initContainers[0].command",
        "database",
    ),
    _spec(
        "the name of ours among the others", "initContainers[0].name", initContainers=[sidecar(name="api")]
    ),
    *(
        _env(name)
        for name in (
            "INSIGHT_INSTANCE",
            "INSIGHT_ANYTHING",
            "insight_x",
            "LD_PRELOAD",
            "PYTHONPATH",
            "PATH",
            "HOME",
            "DB_PASSWORD",
        )
    ),
    _env("PGDATA", "database", "postgres"),
    *(
        _mount(path)
        for path in (
            "/",
            "/tmp",
            "/tmp/x",
            "/var/run/insight",
            "/var/run/insight/jwt",
            "/var/run",
            "/etc/insight/x",
            "/opt/insight/lib",
            "/usr",
            "/proc",
        )
    ),
    _mount("/var/lib/postgresql/data", "database", "postgres"),
    _mount("/data", "broker", "redis"),
    _own("a mount of our volume", "volumeMounts[0].name", volumeMounts=[{"name": "jwt", "mountPath": "/x"}]),
    _side(
        "our secrets for a sidecar",
        "volumeMounts[0].name",
        volumeMounts=[{"name": "database", "mountPath": "/x"}],
    ),
    _volume("our volume by name", ".name", name="jwt", emptyDir={"sizeLimit": "1Mi"}),
    Hostile(
        "the volume of a data source",
        {"spec": {"volumes": [{"name": "source-sales", "emptyDir": {"sizeLimit": "1Mi"}}]}},
        "spec.volumes[0].name",
        "worker",
    ),
    *(
        Hostile(f"the label {key}", {"metadata": {"labels": {key: "x"}}}, f"metadata.labels.{key}")
        for key in ("app", "app.kubernetes.io/name", "insightengine.io/engine", "pod-template-hash")
    ),
    *(
        Hostile(
            f"the annotation {key}", {"metadata": {"annotations": {key: "x"}}}, f"metadata.annotations.{key}"
        )
        for key in ("insightengine.io/template-hash", "kubectl.kubernetes.io/restartedAt")
    ),
    _spec("another restart policy", "restartPolicy", restartPolicy="Never"),
    _spec("less time to end", "terminationGracePeriodSeconds", terminationGracePeriodSeconds=0),
    _spec("service links", "enableServiceLinks", enableServiceLinks=True),
    # what would break a pod
    _side("a port of ours", "ports[0].containerPort", ports=[{"containerPort": 8000}]),
    _side("a port's name of ours", "ports[0].name", ports=[{"containerPort": 1, "name": "http"}]),
    _side(
        "a probe of another host",
        "livenessProbe.httpGet.host",
        livenessProbe={"httpGet": {"port": 1, "host": "169.254.169.254"}},
    ),
    _side(
        "a hook to another host",
        "lifecycle.preStop.httpGet.host",
        lifecycle={"preStop": {"httpGet": {"port": 1, "host": "x"}}},
    ),
    _side(
        "a secret in the environment",
        "env[0].valueFrom.secretKeyRef",
        env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y"}}}],
    ),
    _side(
        "all of a secret in the environment", "envFrom[0].secretRef", envFrom=[{"secretRef": {"name": "x"}}]
    ),
    _side("a raw device", "volumeDevices", volumeDevices=[{"name": "x", "devicePath": "/dev/x"}]),
    _side("no image", "image", image=None),
    _side("no bounds", "resources.limits", resources=None),
    _side(
        "a bound left out",
        "resources.limits.ephemeral-storage",
        resources={"limits": {"cpu": 1, "memory": "1Gi"}},
    ),
    _side(
        "two mounts at one place",
        "volumeMounts[1].mountPath",
        volumeMounts=[{"name": "scratch", "mountPath": "/x"}] * 2,
    ),
    _side(
        "a mount up and out",
        "volumeMounts[0].mountPath",
        volumeMounts=[{"name": "scratch", "mountPath": "/x/../etc"}],
    ),
    _volume("a volume without bounds", ".emptyDir.sizeLimit", emptyDir={}),
    _volume("a volume of two kinds", "", emptyDir={"sizeLimit": "1Mi"}, configMap={"name": "x"}),
    _volume("a volume of no kind", ""),
    _spec("the same name twice", "containers", containers=[sidecar(), sidecar()]),
    _spec("a misspelt field", "tolerationz", tolerationz=[]),
    Hostile(
        "a sidecar that never ends in a Job",
        {"spec": {"containers": [sidecar()]}},
        "spec.containers[0]",
        "migrate",
    ),
    Hostile("a component that is none", {"spec": {}}, "", "flower"),
)
