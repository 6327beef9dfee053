"""What one pass knows of the world, as plain data. Types only: nothing here reads a cluster or decides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Manifest = dict[str, Any]
"""A Kubernetes object, or a part of one, as JSON."""

ChildKey = tuple[str, str]
"""Kind and name of a child, such as `("Deployment", "vanna-api")`."""


@dataclass(frozen=True, slots=True)
class SecretFacts:
    """What may be known of a Secret that a user gave, without its values.

    Attributes:
        labels: its labels; the opt-in label is among them or it may not be used.
        keys: the names of its entries.
    """

    labels: Mapping[str, str]
    keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class Change:
    """What a pass would do to one child.

    Attributes:
        object: kind and name, as `Deployment/vanna-api`.
        action: `create`, `change`, `delete`, or `refused` by the API server.
        fields: the first fields that would change.
        restarts_pods: whether its pods would be replaced.
        message: why it is refused.
    """

    object: str
    action: str
    fields: tuple[str, ...] = ()
    restarts_pods: bool = False
    message: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """What Kubernetes said of one object in an Event.

    Attributes:
        kind: the kind of object it is about.
        name: that object's name.
        reason: the Event's reason, such as `FailedCreate`.
        message: the Event's note.
    """

    kind: str
    name: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Observed:
    """One InsightEngine and what exists of it.

    Attributes:
        resource: the InsightEngine as last read.
        children: live child objects by kind and name, each as the API server last returned it.
        pods: the live pods that belong to the children.
        secrets: the Secrets that the spec refers to, None where there is none of that name.
        remarks: what Events say of the objects that want explaining, oldest first; asked for only then.
    """

    resource: Manifest
    children: Mapping[ChildKey, Manifest] = field(default_factory=dict)
    pods: tuple[Manifest, ...] = ()
    secrets: Mapping[str, SecretFacts | None] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()
