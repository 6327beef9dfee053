"""The shape of an overlay: the part of a pod template that an administrator may add to.

A field stands here only when laying it over takes nothing from the operator; `FIELDS_REFUSED` says why others
do not. What the restricted profile says about values is judged in profile.py, on the merged template.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from insight_operator.crd.base import DNS_SUBDOMAIN, RULE_ERROR, Bytes, Cpu, Model, UniqueNames
from insight_operator.crd.pods import (
    LABEL_NAME,
    LABEL_NAME_LIMIT,
    AnnotationText,
    LabelText,
)

_DNS_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
Name = Annotated[str, Field(pattern=_DNS_LABEL)]
Key = Annotated[str, Field(pattern=LABEL_NAME, max_length=LABEL_NAME_LIMIT)]
ObjectName = Annotated[str, Field(pattern=DNS_SUBDOMAIN, max_length=253)]
Json = dict[str, Any]
"""A part that only the API server judges; nothing in it can add to a pod's rights."""

_ON_THE_NODE = "the pod would share the node's; the restricted profile forbids it"
_OWN_USER = "the InsightEngine sets it (spec.api.securityContext, spec.workers.securityContext)"
FIELDS_REFUSED = {
    "activeDeadlineSeconds": "the operator owns it",
    "automountServiceAccountToken": "no pod of an InsightEngine gets an API token",
    "enableServiceLinks": "the operator owns it",
    "ephemeralContainers": "they are added to running pods only, with kubectl debug",
    "fsGroup": _OWN_USER,
    "host": "the restricted profile forbids a probe or hook that asks another host",
    "hostIPC": _ON_THE_NODE,
    "hostNetwork": _ON_THE_NODE,
    "hostPID": _ON_THE_NODE,
    "hostPath": _ON_THE_NODE,
    "hostPort": _ON_THE_NODE,
    "nodeName": "it would go round the scheduler: use nodeSelector or affinity",
    "restartPolicy": "the operator owns the pod's",
    "runAsGroup": _OWN_USER,
    "runAsNonRoot": "the operator sets it; it is always true",
    "runAsUser": _OWN_USER,
    "seccompProfile": "the operator sets the pod's; a container of yours may name its own",
    "secretKeyRef": "secrets do not belong into the environment: mount a volume of the Secret",
    "secretRef": "secrets do not belong into the environment: mount a volume of the Secret",
    "serviceAccount": "every component has its own service account",
    "serviceAccountName": "every component has its own service account",
    "serviceAccountToken": "no pod of an InsightEngine gets an API token",
    "shareProcessNamespace": "a sidecar could then read the engine's memory and secrets",
    "terminationGracePeriodSeconds": "the InsightEngine sets it (spec.workers.terminationGracePeriodSeconds)",
    "volumeDevices": "raw devices are not for these pods: use volumeMounts",
}
"""Fields of a pod template that an overlay may not have, and why."""


def _refused(message: str) -> PydanticCustomError:
    return PydanticCustomError(RULE_ERROR, "{message}", {"message": message, "field": ""})


def _one_source(volume: "Volume") -> "Volume":
    if len(volume.model_fields_set - {"name"}) != 1:
        raise _refused(f"must have exactly one source: {', '.join(VOLUME_SOURCES)}")
    return volume


def _no_traversal(path: str) -> str:
    if "//" in path or {".", ".."} & set(path.split("/")) or (path != "/" and path.endswith("/")):
        raise _refused("must be written plainly: no '.', '..' or empty part, no '/' at the end")
    return path


def _quantities(values: object) -> object:
    """Take numbers as well as text, as Kubernetes does."""
    if not isinstance(values, dict):
        return values
    return {
        key: str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
        for key, value in values.items()
    }


class EnvSource(Model):
    """Where a variable's value comes from."""

    config_map_key_ref: Json | None = None
    field_ref: Json | None = None
    resource_field_ref: Json | None = None


class Variable(Model):
    """An environment variable."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=128)]
    value: Annotated[str, Field(max_length=32768)] | None = None
    value_from: EnvSource | None = None


class EnvFrom(Model):
    """All entries of a ConfigMap as variables."""

    prefix: str | None = None
    config_map_ref: Json


class Mount(Model):
    """Where a volume appears in a container."""

    name: Name
    mount_path: Annotated[str, Field(pattern=r"^/[^:]*$", max_length=1024), AfterValidator(_no_traversal)]
    read_only: bool | None = None
    recursive_read_only: str | None = None
    sub_path: (
        Annotated[str, Field(pattern=r"^[^/]", max_length=1024), AfterValidator(_no_traversal)] | None
    ) = None


class Port(Model):
    """A port that a sidecar listens on."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$")] | None = None
    container_port: Annotated[int, Field(ge=1, le=65535)]
    protocol: str | None = None


class HttpGet(Model):
    """A probe or hook by HTTP."""

    path: str | None = None
    port: int | str
    scheme: str | None = None
    http_headers: tuple[Json, ...] | None = None


class TcpSocket(Model):
    """A probe that connects."""

    port: int | str


class Handler(Model):
    """What a probe or a hook does."""

    exec_: Annotated[Json | None, Field(alias="exec")] = None
    http_get: HttpGet | None = None
    tcp_socket: TcpSocket | None = None
    grpc: Json | None = None
    sleep: Json | None = None


class Probe(Handler):
    """A probe and its timing."""

    initial_delay_seconds: int | None = None
    timeout_seconds: int | None = None
    period_seconds: int | None = None
    success_threshold: int | None = None
    failure_threshold: int | None = None
    termination_grace_period_seconds: int | None = None


class Lifecycle(Model):
    """What happens when a container starts or stops."""

    post_start: Handler | None = None
    pre_stop: Handler | None = None
    stop_signal: str | None = None


class Capabilities(Model):
    """Capabilities added or dropped."""

    add: tuple[str, ...] | None = None
    drop: tuple[str, ...] | None = None


class ContainerSecurity(Model):
    """Security settings of a container; what is left out is as strict as the operator's own."""

    allow_privilege_escalation: bool | None = None
    app_armor_profile: Json | None = None
    capabilities: Capabilities | None = None
    privileged: bool | None = None
    proc_mount: str | None = None
    read_only_root_filesystem: bool | None = None
    run_as_group: int | None = None
    run_as_non_root: bool | None = None
    run_as_user: int | None = None
    se_linux_options: Json | None = None
    seccomp_profile: Json | None = None


class Limits(Model):
    """The most a sidecar may use: without, one container could take a whole node."""

    cpu: Cpu
    memory: Bytes
    ephemeral_storage: Annotated[Bytes, Field(alias="ephemeral-storage")]


class Resources(Model):
    """What a sidecar may use."""

    limits: Annotated[Limits, BeforeValidator(_quantities)]
    requests: Annotated[dict[str, str], BeforeValidator(_quantities)] | None = None
    claims: tuple[Json, ...] | None = None


class Container(Model):
    """A container of the operator's to add to, or one to be added."""

    name: Name
    image: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    image_pull_policy: str | None = None
    command: tuple[str, ...] | None = None
    args: tuple[str, ...] | None = None
    working_dir: str | None = None
    env: Annotated[tuple[Variable, ...], UniqueNames] | None = None
    env_from: tuple[EnvFrom, ...] | None = None
    ports: tuple[Port, ...] | None = None
    resources: Resources | None = None
    volume_mounts: tuple[Mount, ...] | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None
    lifecycle: Lifecycle | None = None
    security_context: ContainerSecurity | None = None
    termination_message_path: str | None = None
    termination_message_policy: str | None = None


class InitContainer(Container):
    """A container that runs before the operator's own; with `restartPolicy: Always` beside them, too."""

    restart_policy: str | None = None


class EmptyDir(Model):
    """A volume that is empty at the start."""

    medium: str | None = None
    size_limit: Annotated[Bytes, Field()]


class SecretVolume(Model):
    """A Secret of the InsightEngine's namespace."""

    secret_name: ObjectName
    default_mode: int | None = None
    items: tuple[Json, ...] | None = None
    optional: bool | None = None


class ConfigMapVolume(Model):
    """A ConfigMap of the InsightEngine's namespace."""

    name: ObjectName
    default_mode: int | None = None
    items: tuple[Json, ...] | None = None
    optional: bool | None = None


class Projection(Model):
    """One source of a projected volume; never a token."""

    config_map: Json | None = None
    secret: Json | None = None
    downward_api: Annotated[Json | None, Field(alias="downwardAPI")] = None
    cluster_trust_bundle: Json | None = None


class Projected(Model):
    """Several sources in one volume."""

    sources: Annotated[tuple[Projection, ...], Field(min_length=1)]
    default_mode: int | None = None


class Volume(Model):
    """A volume of a kind that the restricted profile allows."""

    name: Name
    config_map: ConfigMapVolume | None = None
    csi: Json | None = None
    downward_api: Annotated[Json | None, Field(alias="downwardAPI")] = None
    empty_dir: EmptyDir | None = None
    ephemeral: Json | None = None
    persistent_volume_claim: Json | None = None
    projected: Projected | None = None
    secret: SecretVolume | None = None


VOLUME_SOURCES = tuple(
    sorted(field.alias or name for name, field in Volume.model_fields.items() if name != "name")
)
"""The kinds of volume that may be added."""


class Sysctl(Model):
    """A kernel setting of the pod's own network or IPC namespace."""

    name: str
    value: str


class PodSecurity(Model):
    """What may be added to the pod's security settings."""

    se_linux_options: Json | None = None
    supplemental_groups: tuple[int, ...] | None = None
    supplemental_groups_policy: str | None = None
    sysctls: Annotated[tuple[Sysctl, ...], UniqueNames] | None = None


class Spread(Model):
    """How pods are spread; without a selector it is over the component's own pods."""

    topology_key: Key
    max_skew: Annotated[int, Field(ge=1)]
    when_unsatisfiable: str
    label_selector: Json | None = None
    min_domains: int | None = None
    node_affinity_policy: str | None = None
    node_taints_policy: str | None = None
    match_label_keys: tuple[str, ...] | None = None


class HostAlias(Model):
    """A line of /etc/hosts."""

    ip: str
    hostnames: tuple[str, ...]


class PullSecret(Model):
    """A Secret that may pull images."""

    name: ObjectName


class Toleration(Model):
    """A taint that pods put up with; without a key, every taint."""

    key: Key | None = None
    operator: str | None = None
    value: LabelText | None = None
    effect: str | None = None
    toleration_seconds: int | None = None


class PodSpec(Model):
    """What may be added to a pod."""

    affinity: Json | None = None
    containers: Annotated[tuple[Container, ...], UniqueNames] | None = None
    dns_config: Json | None = None
    dns_policy: str | None = None
    host_aliases: tuple[HostAlias, ...] | None = None
    host_users: bool | None = None
    image_pull_secrets: Annotated[tuple[PullSecret, ...], UniqueNames] | None = None
    init_containers: Annotated[tuple[InitContainer, ...], UniqueNames] | None = None
    node_selector: dict[Key, LabelText] | None = None
    priority_class_name: ObjectName | None = None
    readiness_gates: tuple[Json, ...] | None = None
    runtime_class_name: ObjectName | None = None
    scheduler_name: ObjectName | None = None
    security_context: PodSecurity | None = None
    tolerations: tuple[Toleration, ...] | None = None
    topology_spread_constraints: tuple[Spread, ...] | None = None
    volumes: Annotated[tuple[Annotated[Volume, AfterValidator(_one_source)], ...], UniqueNames] | None = None


class PodMetadata(Model):
    """Labels and annotations of the pods."""

    annotations: dict[Key, AnnotationText] | None = None
    labels: dict[Key, LabelText] | None = None


class PodOverlay(Model):
    """What is laid over the pods of one component."""

    metadata: PodMetadata | None = None
    spec: PodSpec | None = None


class OverlayFile(Model):
    """The whole file: one overlay for each component that shall have one."""

    api: PodOverlay | None = None
    worker: PodOverlay | None = None
    database: PodOverlay | None = None
    broker: PodOverlay | None = None
    migrate: PodOverlay | None = None
