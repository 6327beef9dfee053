"""Whether a rendering that would restart pods may be rolled out now, or what runs is planned instead. Pure.

A rendering is pinned by its cause: when the user gave the same and yet the pods are rendered differently,
only the operator or its settings changed, and nobody asked for a restart. What was recorded stays planned
until the spec changes, a person approves, or the maintenance window opens.
"""

import copy
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from insight_operator import naming
from insight_operator.crd.upgrade import Strategy
from insight_operator.desired import causes, earlier, windows
from insight_operator.desired.records import (
    Record,
    begun,
    config_maps,
    kept,
    part_of,
    rendering,
    stamped,
    with_template,
)
from insight_operator.snapshot import ChildKey, Manifest, Observed
from insight_operator.validate import ValidatedEngine

_ROLLED_OUT = "NewReplicaSetAvailable"
_STUCK = "ProgressDeadlineExceeded"


class Waiting(StrEnum):
    """Why a component's pods would be restarted."""

    OPERATOR_CHANGED = "OperatorChanged"
    """The operator, its default images or its pod overlays are others; the spec is the same."""
    SPEC_CHANGED = "SpecChanged"
    """The spec was changed, and `spec.upgrade.strategy` is Supervised."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A component whose pods would be restarted, and are not yet.

    Attributes:
        part: the component.
        revision: names the rendering that waits; an approval names it.
        reason: why they would be restarted.
        message: the same in a sentence, with what to do.
    """

    part: str
    revision: str
    reason: Waiting
    message: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What is planned, and what waits.

    Attributes:
        planned: every child, in apply order.
        pending: the components whose present rendering waits.
        causes: by component, what caused what is planned; absent where a changed spec waits.
        opens_in_s: seconds until waiting renderings may be rolled out; None where only a person decides.
    """

    planned: tuple[Manifest, ...]
    pending: tuple[Pending, ...] = ()
    causes: Mapping[str, str] = field(default_factory=dict)
    opens_in_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Member:
    """A component as rendered, as it runs, and as it was last recorded."""

    part: str
    manifest: Manifest
    live: Manifest | None
    base: Record | None

    @property
    def differs(self) -> bool:
        """Whether applying the rendering would replace pods."""
        if self.base is None:
            return False
        running = rendering(self.live) if self.live else self.base.rendered
        return rendering(self.manifest) not in {self.base.rendered, running}


@dataclass(frozen=True, slots=True)
class _Group:
    """Components that are let go together.

    Attributes:
        members: the components.
        cause: what would cause their present rendering.
        asked: whether the user gave something else since the recorded rendering.
        pending: what waits; empty when the present rendering may be rolled out.
    """

    members: tuple[_Member, ...]
    cause: str
    asked: bool
    pending: tuple[Pending, ...] = ()


def decide(
    engine: ValidatedEngine,
    rendered: Sequence[Manifest],
    observed: Observed,
    proven: Collection[ChildKey],
    now: datetime,
) -> Decision:
    """Return the plan in which components that wait keep what was recorded of them.

    Args:
        engine: what was rendered.
        rendered: every child as this operator renders it, in apply order.
        observed: the resource and what exists of it.
        proven: children that are exactly as the operator's last write left them.
        now: the time of this pass, with its zone.
    """
    groups = [_group(engine, name, rendered, observed, proven, now) for name in causes.GROUPS]
    pending = tuple(one for group in groups for one in group.pending)
    window = engine.spec.upgrade.window
    return Decision(
        planned=config_maps(engine, _planned(rendered, groups), observed.children),
        pending=pending,
        causes={
            member.part: group.cause
            for group in groups
            for member in group.members
            if all(one.reason is not Waiting.SPEC_CHANGED for one in group.pending)
        },
        opens_in_s=windows.opens_in(window, now) if pending and window else None,
    )


def _group(
    engine: ValidatedEngine,
    name: str,
    rendered: Sequence[Manifest],
    observed: Observed,
    proven: Collection[ChildKey],
    now: datetime,
) -> _Group:
    cause = causes.cause(engine, name)
    members = tuple(
        _member(engine, part, manifest, rendered, observed, proven, cause)
        for manifest in rendered
        if (part := part_of(engine, manifest)) in causes.GROUPS[name]
    )
    asked = any(member.base is None or member.base.cause != cause for member in members)
    differing = [member for member in members if member.differs]
    revision = naming.digest({member.part: rendering(member.manifest) for member in members})
    status = observed.resource.get("status") or {}
    under_way = any(begun(member.base, rendered, status) for member in differing if member.part == naming.API)
    if not differing or under_way or _may_go(engine, differing, asked, revision, observed, now):
        return _Group(members, cause, asked or bool(differing))
    reason = Waiting.SPEC_CHANGED if asked else Waiting.OPERATOR_CHANGED
    pending = tuple(
        Pending(member.part, revision, reason, _message(engine, member, revision, reason))
        for member in differing
    )
    return _Group(members, cause, asked, pending)


def _member(
    engine: ValidatedEngine,
    part: str,
    manifest: Manifest,
    rendered: Sequence[Manifest],
    observed: Observed,
    proven: Collection[ChildKey],
    cause: str,
) -> _Member:
    place = (manifest["kind"], manifest["metadata"]["name"])
    live = observed.children.get(place)
    records = kept(engine, part, observed.children)
    base = records[-1] if records else None
    if base is None and live is not None and place in proven:
        base = earlier.read_off(live)
    if base is not None and not base.cause:
        base = earlier.completed(base, part, rendered, observed, cause)
    return _Member(part, manifest, live, base)


def _may_go(
    engine: ValidatedEngine,
    differing: Iterable[_Member],
    asked: bool,
    revision: str,
    observed: Observed,
    now: datetime,
) -> bool:
    upgrade = engine.spec.upgrade
    if asked and upgrade.strategy is Strategy.AUTOMATIC:
        return True
    if revision in _approved(observed.resource) or (upgrade.window and windows.is_open(upgrade.window, now)):
        return True
    api = observed.children.get(("Deployment", naming.child(engine, naming.API)))
    return any(_never_came_up(member.live, api) for member in differing)


def _approved(resource: Manifest) -> set[str]:
    annotations = resource["metadata"].get("annotations") or {}
    return set(re.split(r"[\s,]+", annotations.get(naming.APPROVE, "")))


def _never_came_up(live: Manifest | None, api: Manifest | None) -> bool:
    """Tell whether a workload's present pods never served: keeping them would keep nothing but a fault."""
    if live is None:
        return False
    status = live.get("status", {})
    if live["kind"] == "Deployment":
        unfinished, stuck = not _rolled_out(live), _progress(live) == _STUCK
        return unfinished and (stuck or not status.get("availableReplicas"))
    updating = status.get("currentRevision") != status.get("updateRevision")
    return (updating or not _rolled_out(api)) and not status.get("readyReplicas")


def _rolled_out(deployment: Manifest | None) -> bool:
    # It stays so while pods come and go, until another template is rolled out.
    return _progress(deployment) == _ROLLED_OUT


def _progress(deployment: Manifest | None) -> str:
    conditions = (deployment or {}).get("status", {}).get("conditions") or ()
    return next((str(item.get("reason")) for item in conditions if item["type"] == "Progressing"), "")


def _message(engine: ValidatedEngine, member: _Member, revision: str, reason: Waiting) -> str:
    before = member.base.template if member.base else {}
    change = _change(before, member.manifest["spec"]["template"])
    window = " or in spec.upgrade.window" if engine.spec.upgrade.window else ""
    command = (
        f"kubectl annotate insightengine {engine.name} --namespace {engine.namespace} --overwrite "
        f"{naming.APPROVE}={revision}"
    )
    if reason is Waiting.SPEC_CHANGED:
        return (
            f"the changed spec restarts its pods ({change}): that is done when approved by {command}{window}"
        )
    return (
        f"the operator or its settings changed ({change}): its pods are restarted at the next change of the "
        f"spec that concerns them{window}, or when approved by {command}"
    )


def _change(before: Manifest, after: Manifest) -> str:
    old, new = (_images(template) for template in (before, after))
    found = [f"image {old[name]} to {new[name]}" for name in new if old.get(name, new[name]) != new[name]]
    return found[0] if found else "another pod template"


def _images(template: Manifest) -> dict[str, str]:
    containers = template.get("spec", {}).get("containers", ())
    return {container["name"]: container["image"] for container in containers}


def _planned(rendered: Iterable[Manifest], groups: Iterable[_Group]) -> list[Manifest]:
    """Return the plan with what was recorded of each group that waits, and the Job that goes with its API."""
    recorded, job = {}, None
    for group in groups:
        for member in group.members:
            if group.pending and member.base:
                recorded[member.manifest["metadata"]["name"]] = member.base.template
            if member.part == naming.API and member.base and (group.pending or not group.asked):
                job = member.base.job
    made = []
    for manifest in rendered:
        kind, template = manifest["kind"], recorded.get(manifest["metadata"]["name"])
        planned = (
            with_template(manifest, template)
            if template and kind in {"Deployment", "StatefulSet"}
            else manifest
        )
        made.append(_with_job(planned, job) if job else planned)
    return made


def _with_job(manifest: Manifest, job: Manifest) -> Manifest:
    """Return the migrate Job as recorded, and what waits for it with its name."""
    made = copy.deepcopy(manifest)
    if made["kind"] == "Job":
        made["metadata"] |= {"name": job["name"]}
        made["metadata"]["labels"] |= {naming.INSTANCE_LABEL: job["name"]}
        made["spec"] = copy.deepcopy(job["spec"])
    elif naming.MIGRATE_JOB in made["metadata"]["annotations"]:
        made["metadata"]["annotations"][naming.MIGRATE_JOB] = job["name"]
    return stamped(made)
