"""What may be added to pods and where they may run.

There is no pod template here on purpose: a resource must not give its author more rights than they have, so
anything that reaches into the process or the cluster's own labels is refused.
"""

import re
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from insight_operator.crd.base import Model, ObjectName, Rule, UniqueNames, list_map

# Written with [.] for a dot: the same text stands in a CEL string, where a backslash would need another.
LABEL_NAME = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
    r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
)
LABEL_VALUE = r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$"
LABEL_NAME_LIMIT = 253
ANNOTATIONS_LIMIT = 32768
# What Services, policies and controllers in a namespace commonly select pods by.
_SELECTED_BY = (
    "app|k8s-app|name|component|tier|role|run|release|job-name|controller-uid"
    "|pod-template-hash|controller-revision-hash"
)
# Whoever reads these changes pods, their network or their rights, or runs commands in them.
_OBEYED_BY = (
    r"kubernetes[.]io/|k8s[.]io/|insightengine[.]io/|inject|sidecar|istio|linkerd|hashicorp|dapr[.]io/|kuma[.]io/"
    r"|openservicemesh|opentelemetry|datadoghq|dynatrace|newrelic|banzaicloud|doppler|velero|kasten"
    r"|cni|cncf[.]io/|multus|calico|cilium|antrea|ovn[.]org/|crio|cri-o|^(io|org|run)[.]|nvidia"
    r"|amazonaws|azure|gke[.]io/|google[.]com/|openshift|kyverno|gatekeeper"
)
RESERVED_KEY = rf"^({_SELECTED_BY})$|{_OBEYED_BY}"
RESERVED_ENV = (
    r"^(LD_|PYTHON|INSIGHT_|GUNICORN_|UVICORN_|CELERY_|C_FORCE_|KOMBU_|REDIS_|PG|MYSQL_|DUCKDB_|SQLITE_|SSL_"
    r"|OPENSSL_|KRB5|AWS_|AZURE_|GOOGLE_|KUBE|OTEL_EXPORTER_|PROMETHEUS_|GLIBC_|GCONV_|NSS_|RES_|XDG_)"
    r"|^(PATH|HOME|SHELL|ENV|BASH_ENV|IFS|TMPDIR|PORT|LOCALDOMAIN|HOSTALIASES|WEB_CONCURRENCY|FORWARDED_ALLOW_IPS)$"
    r"|_(PROXY|CA_BUNDLE)$"
)
RESERVED_TAINT = (
    r"^node-role[.]kubernetes[.]io/"
    r"|^node[.]kubernetes[.]io/(unschedulable|disk-pressure|memory-pressure|pid-pressure|network-unavailable)$"
)
SECRET_ENV = r"PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL|PRIVATE_KEY|API_?KEY"  # noqa: S105 - a pattern, not a password

_IS_NAME = f"size(key) <= {LABEL_NAME_LIMIT} && key.matches('{LABEL_NAME}')"

LabelText = Annotated[str, Field(pattern=LABEL_VALUE, max_length=63)]
AnnotationText = Annotated[str, Field(max_length=4096)]


def _keys_are_names(values: dict[str, str]) -> bool:
    return all(re.fullmatch(LABEL_NAME, key) and len(key) <= LABEL_NAME_LIMIT for key in values)


def _keys_are_free(values: dict[str, str]) -> bool:
    return not any(re.search(RESERVED_KEY, key) for key in values)


def _key_rules(field: str) -> tuple[Rule, ...]:
    return (
        Rule(
            f"!has(self.{field}) || self.{field}.all(key, {_IS_NAME})",
            "keys must be label names: letters, digits, '-', '_', '.', with an optional DNS prefix and '/'",
            lambda pods: _keys_are_names(getattr(pods, field)),
            field,
        ),
        Rule(
            f"!has(self.{field}) || !self.{field}.exists(key, key.matches('{RESERVED_KEY}'))",
            "keys that other controllers select or act by are reserved (app, kubernetes.io/, injectors and "
            "the like): use a prefix of your own",
            lambda pods: _keys_are_free(getattr(pods, field)),
            field,
        ),
    )


class EnvironmentVariable(Model):
    """A plain value in the environment of API and worker containers."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"!self.name.upperAscii().matches('{RESERVED_ENV}')",
            "this name is reserved: it could change what the process runs or where it connects to",
            lambda variable: not re.search(RESERVED_ENV, variable.name.upper()),
            "name",
        ),
        Rule(
            f"!self.name.upperAscii().matches('{SECRET_ENV}')",
            "secrets do not belong into the environment: use a secretRef field",
            lambda variable: not re.search(SECRET_ENV, variable.name.upper()),
            "name",
        ),
    )

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", min_length=1, max_length=128)]
    """Name of the variable; LD_*, PYTHON*, INSIGHT_*, *_PROXY and the like are refused."""
    value: Annotated[str, Field(max_length=4096)]
    """Its value, visible to everyone who may read the resource."""


class Pods(Model):
    """Labels, annotations and environment added to every pod of the engine."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        *_key_rules("labels"),
        *_key_rules("annotations"),
        Rule(
            "!has(self.annotations) || "
            f"self.annotations.map(key, size(self.annotations[key])).sum() <= {ANNOTATIONS_LIMIT}",
            f"the values together must have at most {ANNOTATIONS_LIMIT} characters",
            lambda pods: sum(map(len, pods.annotations.values())) <= ANNOTATIONS_LIMIT,
            "annotations",
        ),
    )

    labels: Annotated[dict[str, LabelText], Field(max_length=32)] = {}  # noqa: RUF012 - pydantic copies it
    """Labels added to every pod; not those that other controllers select or act by."""
    annotations: Annotated[dict[str, AnnotationText], Field(max_length=32)] = {}  # noqa: RUF012
    """Annotations added to every pod; not those that other controllers act by, such as injectors."""
    extra_env: Annotated[
        tuple[EnvironmentVariable, ...], UniqueNames, Field(max_length=32, json_schema_extra=list_map("name"))
    ] = ()
    """Environment variables added to API and worker containers."""


class Effect(StrEnum):
    """What a taint does to pods that do not tolerate it."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class TolerationOperator(StrEnum):
    """How a toleration matches a taint."""

    EXISTS = "Exists"
    EQUAL = "Equal"


class Toleration(Model):
    """A taint that pods put up with."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.operator != 'Exists' || !has(self.value)",
            "operator Exists takes no value",
            lambda toleration: (
                toleration.operator is not TolerationOperator.EXISTS or toleration.value is None
            ),
            "value",
        ),
        Rule(
            "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            "needs effect: NoExecute beside it",
            lambda toleration: (
                toleration.toleration_seconds is None or toleration.effect is Effect.NO_EXECUTE
            ),
            "tolerationSeconds",
        ),
        Rule(
            f"!self.key.matches('{RESERVED_TAINT}')",
            "this taint keeps pods off control planes and failing nodes: only the operator's administrator "
            "may have it tolerated, by a pod overlay",
            lambda toleration: not re.search(RESERVED_TAINT, toleration.key),
            "key",
        ),
    )

    key: Annotated[str, Field(pattern=LABEL_NAME, min_length=1, max_length=LABEL_NAME_LIMIT)]
    """Key of the taint."""
    operator: TolerationOperator = TolerationOperator.EQUAL
    """How the value is compared."""
    value: LabelText | None = None
    """Value of the taint."""
    effect: Effect | None = None
    """Effect of the taint; every effect when absent."""
    toleration_seconds: Annotated[int, Field(ge=0, le=86400)] | None = None
    """Seconds a pod stays after a NoExecute taint appears; for ever when absent."""


class Scheduling(Model):
    """Where pods may run."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"!has(self.nodeSelector) || self.nodeSelector.all(key, {_IS_NAME})",
            "keys must be label names",
            lambda scheduling: _keys_are_names(scheduling.node_selector),
            "nodeSelector",
        ),
        Rule(
            "!has(self.priorityClassName) || !self.priorityClassName.startsWith('system-')",
            "the system- classes are Kubernetes' own: name another PriorityClass",
            lambda scheduling: not (scheduling.priority_class_name or "").startswith("system-"),
            "priorityClassName",
        ),
    )

    node_selector: Annotated[dict[str, LabelText], Field(max_length=32)] = {}  # noqa: RUF012
    """Labels that a node must carry."""
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=32)] = ()
    """Taints that pods put up with."""
    priority_class_name: ObjectName | None = None
    """PriorityClass of every pod; not one of Kubernetes' own, which start with `system-`."""
