"""The one table of what the operator touches. Order, watching, pruning and its rights all derive from it."""

from collections.abc import Iterable
from dataclasses import dataclass

from insight_operator import naming

EVERYWHERE = "*"
"""Stands for all namespaces where a list of namespaces is asked for."""

_WATCH = ("list", "watch")
_READ = ("get", *_WATCH)
_CHILD = (*_READ, "create", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object.

    Attributes:
        kind: as in a manifest.
        group: API group; empty for the core group.
        version: API version.
        plural: as in a URL and a Role.
        verbs: what the operator may do with it, no more than it does.
        stage: when it is applied: 0 what pods mount, 1 what serves data, 2 the migrate Job, 3 what needs the
            migrated schema; None for what is never applied as a child.
        watched: whether its events wake the owner up; everything but Secrets, which may not be listed.
        prunable: whether one that no plan names is deleted; never what holds data or credentials.
        whole_spec: whether the spec is the operator's alone, so that what others add to it goes.
        subresources: `<name>` → verbs.
    """

    kind: str
    group: str
    version: str
    plural: str
    verbs: tuple[str, ...]
    stage: int | None = None
    watched: bool = False
    prunable: bool = False
    whole_spec: bool = False
    subresources: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def api_version(self) -> str:
        """The `apiVersion` of its manifests."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str, name: str = "", subresource: str = "") -> str:
        """Return the URL path of the collection, of one object, or of a subresource of it.

        An empty namespace names the collection of all namespaces.
        """
        root = f"/apis/{self.group}" if self.group else "/api"
        within = ("namespaces", namespace) if namespace else ()
        parts = (root, self.version, *within, self.plural, name, subresource)
        return "/".join(part for part in parts if part)


def _child(kind: str, group: str, plural: str, stage: int, *, whole_spec: bool = False) -> Kind:
    return Kind(kind, group, "v1", plural, _CHILD, stage, watched=True, prunable=True, whole_spec=whole_spec)


ENGINE = Kind(
    naming.KIND,
    naming.GROUP,
    naming.VERSION,
    naming.PLURAL,
    _WATCH,
    watched=True,
    subresources=(("status", ("patch",)),),
)
# Never list or watch: either would show every Secret of the namespace.
SECRET = Kind("Secret", "", "v1", "secrets", ("get", "create", "patch"), 0)
# It holds data: never deleted by the operator.
VOLUME_CLAIM = Kind(
    "PersistentVolumeClaim",
    "",
    "v1",
    "persistentvolumeclaims",
    (*_READ, "create", "patch"),
    0,
    watched=True,
)
CONFIG_MAP = _child("ConfigMap", "", "configmaps", 0)
SERVICE_ACCOUNT = _child("ServiceAccount", "", "serviceaccounts", 0)
SERVICE = _child("Service", "", "services", 1, whole_spec=True)
STATEFUL_SET = _child("StatefulSet", "apps", "statefulsets", 1, whole_spec=True)
DISRUPTION_BUDGET = _child("PodDisruptionBudget", "policy", "poddisruptionbudgets", 1, whole_spec=True)
JOB = _child("Job", "batch", "jobs", 2, whole_spec=True)
DEPLOYMENT = _child("Deployment", "apps", "deployments", 3, whole_spec=True)
# What was rolled out, so that a rollback by hand is recognised: bookkeeping, not a child of the plan.
CONTROLLER_REVISION = Kind(
    "ControllerRevision",
    "apps",
    "v1",
    "controllerrevisions",
    _CHILD,
    watched=True,
)
POD = Kind("Pod", "", "v1", "pods", _WATCH, watched=True)
REPLICA_SET = Kind("ReplicaSet", "apps", "v1", "replicasets", ("list",))
EVENT = Kind("Event", "events.k8s.io", "v1", "events", ("get", "list", "create", "patch"))

TABLE = (
    ENGINE,
    SECRET,
    VOLUME_CLAIM,
    CONFIG_MAP,
    SERVICE_ACCOUNT,
    SERVICE,
    STATEFUL_SET,
    DISRUPTION_BUDGET,
    JOB,
    DEPLOYMENT,
    CONTROLLER_REVISION,
    POD,
    REPLICA_SET,
    EVENT,
)
BY_KIND = {kind.kind: kind for kind in TABLE}
WATCHED = tuple(kind for kind in TABLE if kind.watched)
STAGES = tuple(sorted({kind.stage for kind in TABLE if kind.stage is not None}))

Rule = dict[str, list[str]]


def rules(kinds: Iterable[Kind] = TABLE) -> list[Rule]:
    """Return the rules that let the operator do what the table says, of these kinds."""
    found: list[Rule] = []
    for kind in kinds:
        found.append(_rule(kind.group, kind.plural, kind.verbs))
        found.extend(_rule(kind.group, f"{kind.plural}/{name}", verbs) for name, verbs in kind.subresources)
    return found


def _rule(group: str, resource: str, verbs: tuple[str, ...]) -> Rule:
    return {"apiGroups": [group], "resources": [resource], "verbs": sorted(verbs)}
