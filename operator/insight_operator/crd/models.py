"""The spec of an InsightEngine: the source of truth for the CRD, its defaults and its reference page.

A field stands here only when something implements it. A default, once released, is frozen.
"""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from insight_operator.crd.base import (
    Duration,
    Model,
    ObjectName,
    Rule,
    SecretReference,
    StorageSize,
    UniqueNames,
    list_map,
    seconds,
)
from insight_operator.crd.data_sources import DataSource
from insight_operator.crd.pods import Pods, Scheduling
from insight_operator.crd.resources import ApiResources, BrokerResources, DatabaseResources, WorkerResources
from insight_operator.crd.results import Results
from insight_operator.crd.upgrade import Upgrade
from insight_operator.crd.workload import (
    DisruptionBudget,
    LivenessProbe,
    LogLevel,
    ReadinessProbe,
    SecurityContext,
)

NAME_LIMIT = 40
_COMPONENT = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
REPOSITORY = rf"([a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{{1,5}})?/)?{_COMPONENT}(/{_COMPONENT})*"
IMAGE_REFERENCE = rf"^{REPOSITORY}(:[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}})?(@sha256:[a-f0-9]{{64}})?$"


def _one_of(model: "Database | Broker") -> bool:
    return (model.managed is None) != (model.external is None)


def _exclusive(kind: str) -> tuple[Rule, ...]:
    return (
        Rule("has(self.managed) != has(self.external)", "give exactly one of managed and external", _one_of),
        Rule(
            "has(self.managed) == has(oldSelf.managed)",
            f"a {kind} cannot change between managed and external: create a new InsightEngine",
            None,
        ),
    )


class Storage(Model):
    """The volume of a managed component."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0",
            "a volume cannot shrink: keep the old size or a larger one",
            None,
            "size",
        ),
        Rule(
            "has(self.storageClassName) == has(oldSelf.storageClassName) && "
            "(!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",
            "the storage class of an existing volume cannot change",
            None,
        ),
    )

    size: StorageSize
    """Size of the volume, with a unit (`10Gi`). It may grow, never shrink."""
    storage_class_name: ObjectName | None = None
    """StorageClass of the volume; the cluster's default when absent."""


class DatabaseStorage(Storage):
    """The volume of the managed PostgreSQL."""

    size: StorageSize = "10Gi"
    """Size of the volume, with a unit (`10Gi`). It may grow, never shrink."""


class BrokerStorage(Storage):
    """The volume of the managed Redis."""

    size: StorageSize = "1Gi"
    """Size of the volume, with a unit (`1Gi`). It may grow, never shrink."""


ImageReference = Annotated[str, Field(pattern=IMAGE_REFERENCE, min_length=2, max_length=512)]


class ManagedDatabase(Model):
    """A PostgreSQL that the operator runs beside the engine."""

    storage: DatabaseStorage = DatabaseStorage()
    """Its volume."""
    resources: DatabaseResources = DatabaseResources()
    """What it may use."""
    image: ImageReference | None = None
    """Its image; the operator's choice when absent. Its repository must be on the operator's allowlist."""


class ManagedBroker(Model):
    """A Redis that the operator runs beside the engine."""

    storage: BrokerStorage = BrokerStorage()
    """Its volume."""
    resources: BrokerResources = BrokerResources()
    """What it may use."""
    image: ImageReference | None = None
    """Its image; the operator's choice when absent. Its repository must be on the operator's allowlist."""


class External(Model):
    """A server that somebody else runs."""

    secret_ref: SecretReference
    """Secret with its address and login: `uri`, or `host`, `port`, `username`, `password` (and `dbname`)."""


class Database(Model):
    """The PostgreSQL that holds users, jobs and results: exactly one of `managed` and `external`."""

    RULES: ClassVar[tuple[Rule, ...]] = _exclusive("database")

    managed: ManagedDatabase | None = None
    """Let the operator run it."""
    external: External | None = None
    """Use one that exists."""


class Broker(Model):
    """The Redis that wakes workers: exactly one of `managed` and `external`."""

    RULES: ClassVar[tuple[Rule, ...]] = _exclusive("broker")

    managed: ManagedBroker | None = None
    """Let the operator run it."""
    external: External | None = None
    """Use one that exists."""


class PullPolicy(StrEnum):
    """When a node asks the registry for an image."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


class Image(Model):
    """The engine image; what is absent comes from the operator's settings."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.repository) || has(self.tag) || has(self.digest)",
            "a repository needs a tag or a digest beside it",
            lambda image: image.repository is None or image.tag is not None or image.digest is not None,
        ),
    )

    repository: Annotated[str, Field(pattern=rf"^{REPOSITORY}$", min_length=2, max_length=255)] | None = None
    """Repository, with its registry; it must be on the operator's allowlist."""
    tag: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*$", max_length=128)] | None = None
    """Tag."""
    digest: Annotated[str, Field(pattern=r"^sha256:[a-f0-9]{64}$", max_length=71)] | None = None
    """Digest; it rules when a tag is given too."""
    pull_policy: PullPolicy = PullPolicy.IF_NOT_PRESENT
    """When a node asks the registry for it."""
    pull_secrets: Annotated[
        tuple[SecretReference, ...], UniqueNames, Field(max_length=8, json_schema_extra=list_map("name"))
    ] = ()
    """Secrets of type kubernetes.io/dockerconfigjson that open the registry."""


class Api(Model):
    """The HTTP API."""

    replicas: Annotated[int, Field(ge=1, le=50)] = 2
    """Number of pods."""
    processes: Annotated[int, Field(ge=1, le=16)] = 2
    """Server processes in each pod."""
    resources: ApiResources = ApiResources()
    """What each pod may use."""
    liveness_probe: LivenessProbe = LivenessProbe()
    """When a pod counts as hung and is restarted. It asks the process only, never the database."""
    readiness_probe: ReadinessProbe = ReadinessProbe()
    """When a pod is given requests."""
    security_context: SecurityContext = SecurityContext()
    """Which user the pods run as."""
    disruption_budget: DisruptionBudget = DisruptionBudget()
    """How many pods a drain may take at once."""
    log_level: LogLevel = LogLevel.INFO
    """Least severe log line that is written."""


class Workers(Model):
    """The workers that run queries."""

    replicas: Annotated[int, Field(ge=1, le=200)] = 2
    """Number of pods; `kubectl scale` sets it."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    """Queries that each pod runs at once."""
    resources: WorkerResources = WorkerResources()
    """What each pod may use."""
    termination_grace_period_seconds: Annotated[int, Field(ge=30, le=3600)] = 300
    """Seconds a stopping pod has to finish its queries."""
    security_context: SecurityContext = SecurityContext()
    """Which user the pods run as."""
    disruption_budget: DisruptionBudget = DisruptionBudget()
    """How many pods a drain may take at once."""
    log_level: LogLevel = LogLevel.INFO
    """Least severe log line that is written."""


class BootstrapAdmin(Model):
    """The first administrator."""

    secret_ref: SecretReference
    """Secret with the entries `username` and `password`."""


_SHORTEST_TTL_S, _LONGEST_TTL_S = 60, 720 * 3600


class Auth(Model):
    """Who may log in and for how long."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "duration(self.accessTokenTTL) >= duration('60s')"
            " && duration(self.accessTokenTTL) <= duration('720h')",
            "must be between 60s and 720h",
            lambda auth: _SHORTEST_TTL_S <= seconds(auth.access_token_ttl) <= _LONGEST_TTL_S,
            "accessTokenTTL",
        ),
    )

    access_token_ttl: Duration = Field(default="24h", alias="accessTokenTTL")
    """How long an access token is good for: a number with `s`, `m` or `h`, from 60s to 720h."""
    bootstrap_admin: BootstrapAdmin | None = None
    """The first administrator; without it one is made and its password kept in the Secret `<name>-admin`."""


class DeletionPolicy(StrEnum):
    """What becomes of volumes and credentials when the InsightEngine is deleted."""

    RETAIN = "Retain"
    DELETE = "Delete"


class Mode(StrEnum):
    """Whether a change of the spec is made or only shown."""

    APPLY = "Apply"
    PLAN = "Plan"


class EngineSpec(Model):
    """What an InsightEngine shall be. Every field has a default."""

    database: Database = Database(managed=ManagedDatabase())
    """The PostgreSQL that holds users, jobs and results."""
    broker: Broker = Broker(managed=ManagedBroker())
    """The Redis that wakes workers."""
    data_sources: Annotated[
        tuple[DataSource, ...], UniqueNames, Field(max_length=32, json_schema_extra=list_map("name"))
    ] = ()
    """The databases that questions are asked of."""
    image: Image = Image()
    """The engine image."""
    api: Api = Api()
    """The HTTP API."""
    workers: Workers = Workers()
    """The workers that run queries."""
    results: Results = Results()
    """Where results are kept and for how long."""
    auth: Auth = Auth()
    """Who may log in and for how long."""
    scheduling: Scheduling = Scheduling()
    """Where pods may run."""
    pods: Pods = Pods()
    """Labels, annotations and environment added to every pod of the engine."""
    deletion_policy: DeletionPolicy = DeletionPolicy.RETAIN
    """Whether volumes and credentials outlive the InsightEngine; one of the same name takes them up again."""
    upgrade: Upgrade = Upgrade()
    """When pods are restarted for a new operator, or for changed settings of it."""
    mode: Mode = Mode.APPLY
    """`Plan` changes nothing and shows in `.status.plan` what `Apply` would do and which pods it restarts."""
    suspend: bool = False
    """Stop changing anything; status stays true."""
