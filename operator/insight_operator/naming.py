"""Every name, label and annotation key, made once. Pure. A literal label key elsewhere is a mistake.

Names stay below 63 characters because an InsightEngine's name has at most 40.
"""

import hashlib
import json
from typing import Any, Protocol

from insight_operator import __version__

GROUP = "insightengine.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "InsightEngine"
PLURAL = "insightengines"
MANAGED_BY = "insight-operator"

USE_LABEL = f"{GROUP}/use"
"""On a Secret that a user gives: "true" lets an InsightEngine use it."""
ENGINE_LABEL = f"{GROUP}/engine"
"""On every child and pod: the InsightEngine's name. What watches select by."""
RETAINED_FOR = f"{GROUP}/retained-for"
"""Label and annotation of what outlives its InsightEngine: the name that may take it up again."""
TEMPLATE_HASH = f"{GROUP}/template-hash"
"""Annotation of every pod: which rendering of its template it came from."""
LIVE_TEMPLATE_HASH = f"{GROUP}/live-template-hash"
"""Annotation of a ControllerRevision: how the API server showed the rendering once it was applied."""
CAUSE = f"{GROUP}/cause"
"""Annotation of a ControllerRevision: digest of what the user gave that could have caused the rendering."""
APPROVE = f"{GROUP}/approve"
"""Annotation of an InsightEngine: which waiting renderings a person lets go, by their revisions."""
DESIRED_HASH = f"{GROUP}/desired-hash"
"""Annotation of every planned child: which rendering it was applied from."""
MIGRATE_JOB = f"{GROUP}/migrate-job"
"""Annotation of a Deployment: the Job that must have succeeded before it is applied."""
ADOPT = f"{GROUP}/adopt"
"""Annotation by which a user hands an existing object over to the InsightEngine of that name."""

APP = "app"
COMPONENT_LABEL = "app.kubernetes.io/component"
PART_OF_LABEL = "app.kubernetes.io/part-of"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
INSTANCE_LABEL = "app.kubernetes.io/instance"

API = "api"
WORKER = "worker"
POSTGRES = "postgres"
REDIS = "redis"
MIGRATE = "migrate"
CONFIG = "config"
COMPONENTS = (API, WORKER, POSTGRES, REDIS, MIGRATE)

HTTP_PORT = 8000
METRICS_PORT = 9090
POSTGRES_PORT = 5432
REDIS_PORT = 6379


class Named(Protocol):
    """What names are made from."""

    @property
    def name(self) -> str:
        """The InsightEngine's name."""

    @property
    def namespace(self) -> str:
        """Its namespace."""

    @property
    def uid(self) -> str:
        """Its UID."""


def child(engine: Named, part: str) -> str:
    """Return the name of the child that plays `part`."""
    return child_of(engine.name, part)


def child_of(name: str, part: str) -> str:
    """Return the name of the child that plays `part` for the InsightEngine called `name`."""
    return f"{name}-{part}"


def hashed_child(engine: Named, part: str, content: Any) -> str:
    """Return the name of a child that is replaced, never edited, when its content changes."""
    return f"{engine.name}-{part}-{digest(content)}"


def claim(engine: Named, part: str) -> str:
    """Return the name of the PersistentVolumeClaim of the single pod of a StatefulSet."""
    return f"data-{engine.name}-{part}-0"


def digest(content: Any) -> str:
    """Return 8 hexadecimal digits over JSON content, the same for equal content."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def selector(engine: Named, part: str) -> dict[str, str]:
    """Return the selector of a workload's pods; it can never change, so it is as small as it gets."""
    return {APP: child(engine, part)}


def labels(engine: Named, part: str, name: str = "", version: str = "") -> dict[str, str]:
    """Return the labels of a child or pod.

    Args:
        engine: the InsightEngine.
        part: the component it belongs to.
        name: the object's own name where it is not `<engine>-<part>`.
        version: version of what runs in it, where something does.
    """
    made = {
        APP: child(engine, part),
        "app.kubernetes.io/name": "insight-engine",
        INSTANCE_LABEL: name or child(engine, part),
        COMPONENT_LABEL: part,
        PART_OF_LABEL: engine.name,
        MANAGED_BY_LABEL: MANAGED_BY,
        ENGINE_LABEL: engine.name,
    }
    if version:
        made["app.kubernetes.io/version"] = version
    return made


def owner_reference(engine: Named) -> dict[str, Any]:
    """Return the controller reference to the InsightEngine.

    It does not block the owner's deletion: an InsightEngine goes away also while the operator is down.
    """
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": engine.name,
        "uid": engine.uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }


def retained(engine: Named) -> dict[str, str]:
    """Return the label, and annotation, of what outlives its InsightEngine."""
    return {RETAINED_FOR: engine.name}


def operator_version() -> str:
    """Return the version of this operator."""
    return __version__
