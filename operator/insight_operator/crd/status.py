"""The `.status` as the CRD describes it. Only its schema is made from here; status/derive.py fills it in.

The status carries no defaults and forbids nothing a later operator may add: an older one must be able to
read it.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from insight_operator.crd.base import list_map

Count = Annotated[int, Field(ge=0)]
Sentence = Annotated[str, Field(max_length=1024)]

NOT_OBSERVED = -1
"""The generation that a new resource says was observed: what reads kstatus must not take it for finished."""


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, use_attribute_docstrings=True)


class ConditionStatus(_Part):
    """One judgement over the InsightEngine."""

    type: Annotated[str, Field(max_length=64)]
    """What is judged."""
    status: Literal["True", "False", "Unknown"]
    """The judgement."""
    reason: Annotated[str, Field(max_length=64)]
    """Why, in one documented word."""
    message: Sentence
    """Why, in one sentence that names the cure."""
    last_transition_time: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    """When the status last flipped."""
    observed_generation: Count
    """The generation it was judged on."""


class ComponentStatus(_Part):
    """How one component does."""

    desired: Count
    """Pods asked for."""
    updated: Count
    """Pods of the newest template."""
    ready: Count
    """Pods that pass their readiness probe."""
    available: Count
    """Pods that count as available."""
    summary: Annotated[str, Field(max_length=16)]
    """Available and desired pods, as the columns show them."""
    image: Annotated[str, Field(max_length=512)]
    """Image of its container."""
    message: Sentence | None = None
    """What is wrong with it, if anything is."""


class ComponentsStatus(_Part):
    """How each component does; what is external is absent."""

    api: ComponentStatus | None = None
    """The API."""
    worker: ComponentStatus | None = None
    """The workers."""
    database: ComponentStatus | None = None
    """The managed PostgreSQL."""
    broker: ComponentStatus | None = None
    """The managed Redis."""


class MigrationStatus(_Part):
    """What became of the migrate Job."""

    job: Annotated[str, Field(max_length=63)]
    """Name of the Job."""
    outcome: Literal["pending", "succeeded", "failed"]
    """How it ended, if it did."""
    revision: Annotated[str, Field(max_length=64)] | None = None
    """Revision of the schema it reached."""
    message: Sentence | None = None
    """Why its last try failed."""
    code: Annotated[str, Field(max_length=64)] | None = None
    """Why its last try failed, in one word of the engine's."""
    volume: Annotated[str, Field(max_length=64)] | None = None
    """Uid of the managed PostgreSQL's claim that it is about; another volume is migrated again."""


class ChangeStatus(_Part):
    """One change that waits for `spec.mode: Apply`."""

    object: Annotated[str, Field(max_length=128)]
    """Kind and name of the child."""
    action: Literal["create", "change", "delete", "refused"]
    """What would happen to it."""
    fields: Annotated[tuple[Annotated[str, Field(max_length=256)], ...], Field(max_length=8)] = ()
    """The first fields that would change."""
    restarts_pods: bool | None = None
    """Whether its pods would be replaced."""
    message: Sentence | None = None
    """Why the API server refuses it."""


class PlanStatus(_Part):
    """What `spec.mode: Apply` would change."""

    changes: Annotated[tuple[ChangeStatus, ...], Field(max_length=64)] = ()
    """Child by child, in the order in which they would be made; empty when nothing would change."""


class PendingRestartStatus(_Part):
    """A component whose pods would be restarted, and are not yet."""

    component: Literal["api", "worker", "database", "broker"]
    """Which one."""
    revision: Annotated[str, Field(max_length=16)]
    """What the annotation `insightengine.io/approve` must name to let it be rolled out."""
    reason: Literal["OperatorChanged", "SpecChanged"]
    """Whether only the operator or its settings changed, or the spec, under `Supervised`."""
    message: Sentence
    """What would change, and what lets it."""


class EngineStatus(_Part):
    """What the operator last saw."""

    observed_generation: Annotated[int, Field(ge=NOT_OBSERVED)] | None = None
    """The generation of the spec that this status is about; -1 until the operator has seen one."""
    rolled_out_generation: Count | None = None
    """The present generation once it has been Ready; pods lost after that are no rollout."""
    conditions: Annotated[
        tuple[ConditionStatus, ...], Field(max_length=32, json_schema_extra=list_map("type"))
    ] = ()
    """Judgements, by type; kstatus reads Reconciling, Stalled and Ready."""
    components: ComponentsStatus | None = None
    """How each component does."""
    migration: MigrationStatus | None = None
    """What became of the migrate Job."""
    plan: PlanStatus | None = None
    """What waits for `spec.mode: Apply`; absent in that mode."""
    pending_restart: Annotated[tuple[PendingRestartStatus, ...], Field(max_length=4)] | None = None
    """Components whose restart waits for approval, another spec or the window; absent when none does."""
    version: Annotated[str, Field(max_length=64)] | None = None
    """Version of the engine image."""
    url: Annotated[str, Field(max_length=253)] | None = None
    """Address of the API inside the cluster."""
    replicas: Count | None = None
    """Worker pods; read by the scale subresource."""
    selector: Annotated[str, Field(max_length=128)] | None = None
    """Selector of the worker pods; read by the scale subresource."""
    operator_version: Annotated[str, Field(max_length=64)] | None = None
    """Version of the operator that wrote this."""
