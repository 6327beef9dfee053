"""Which rendering of a Deployment's pods is to run: the newest, or one that a person went back to. Pure.

`kubectl rollout undo` puts an old ReplicaSet's template and annotations onto the Deployment. So that this is
told from a change made by hand, every rendering that was rolled out is kept as a ControllerRevision; the
Deployment itself could not remember it. An undone Deployment is held at the earlier rendering until the
rendered pods change.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from insight_operator import naming
from insight_operator.desired.deployments import REVISIONS_KEPT
from insight_operator.desired.objects import owned
from insight_operator.snapshot import ChildKey, Manifest, Observed
from insight_operator.validate import ValidatedEngine

KIND = "ControllerRevision"
_PARTS = (naming.API, naming.WORKER)
# `kubectl rollout restart` marks the template and means no other rendering.
_RESTARTED = "kubectl.kubernetes.io/restartedAt"


@dataclass(frozen=True, slots=True)
class Held:
    """A Deployment that a person rolled back.

    Attributes:
        deployment: its name.
        revision: number of the rendering that it is held at.
        newest: number of the rendering that the spec asks for.
    """

    deployment: str
    revision: int
    newest: int


def held_back(
    engine: ValidatedEngine, planned: Sequence[Manifest], observed: Observed
) -> tuple[tuple[Manifest, ...], tuple[Held, ...]]:
    """Return the plan with the earlier pods of each Deployment that was rolled back, and which those are."""
    made, held = [], []
    for manifest in planned:
        part = _part(engine, manifest)
        found = _undone(manifest, observed, _kept(engine, part, observed.children)) if part else None
        if found is None:
            made.append(manifest)
            continue
        earlier, newest = found
        made.append(_with_template(manifest, earlier["data"]["template"]))
        held.append(Held(manifest["metadata"]["name"], earlier["revision"], newest["revision"]))
    return tuple(made), tuple(held)


def unrecorded(
    engine: ValidatedEngine,
    planned: Iterable[Manifest],
    held: Iterable[Held],
    children: Mapping[ChildKey, Manifest],
) -> tuple[Manifest, ...]:
    """Return the ControllerRevisions to write for what was rolled out; call it after the Deployments."""
    at_rest = {one.deployment for one in held}
    made = []
    for manifest in planned:
        part, name = _part(engine, manifest), manifest["metadata"]["name"]
        live = children.get((manifest["kind"], name))
        if part is None or live is None or name in at_rest or _hash(live) != _hash(manifest):
            continue
        kept = _kept(engine, part, children)
        if not kept or kept[-1]["metadata"]["name"] != _name(engine, part, manifest):
            made.append(_revision(engine, part, live, manifest, kept[-1]["revision"] + 1 if kept else 1))
    return tuple(made)


def renumbered(revision: Manifest) -> Manifest:
    """Return the change that makes a recorded rendering the newest again."""
    return {
        "revision": revision["revision"],
        "metadata": {"annotations": revision["metadata"]["annotations"]},
    }


def outlived(engine: ValidatedEngine, children: Mapping[ChildKey, Manifest]) -> tuple[Manifest, ...]:
    """Return the ControllerRevisions that are older than any ReplicaSet that is kept."""
    return tuple(
        revision for part in _PARTS for revision in _kept(engine, part, children)[: -REVISIONS_KEPT - 1]
    )


def fingerprint(deployment: Manifest) -> str:
    """Return a hash of a live Deployment's template, the same before and after an undo of an undo."""
    template = copy.deepcopy(deployment["spec"]["template"])
    (template["metadata"].get("annotations") or {}).pop(_RESTARTED, None)
    return naming.digest(template)


def _undone(
    manifest: Manifest, observed: Observed, kept: Sequence[Manifest]
) -> tuple[Manifest, Manifest] | None:
    """Return the rendering a person went back to, and the newest, which the spec asks for still."""
    live = observed.children.get((manifest["kind"], manifest["metadata"]["name"]))
    if live is None or not kept or _hash(live) == _hash(manifest):
        return None
    *earlier, newest = kept
    if _hash(manifest) != newest["metadata"]["annotations"].get(naming.TEMPLATE_HASH):
        return None  # the rendering has changed since: that lets go of an undo
    shown = fingerprint(live)
    return next(((old, newest) for old in earlier if _shown(old) == shown), None)


def _shown(revision: Manifest) -> str:
    return str(revision["metadata"].get("annotations", {}).get(naming.LIVE_TEMPLATE_HASH, ""))


def _part(engine: ValidatedEngine, manifest: Manifest) -> str | None:
    if manifest["kind"] != "Deployment":
        return None
    return next((part for part in _PARTS if naming.child(engine, part) == manifest["metadata"]["name"]), None)


def _kept(engine: ValidatedEngine, part: str, children: Mapping[ChildKey, Manifest]) -> list[Manifest]:
    """Return the recorded renderings of a Deployment, the newest last."""
    app = naming.child(engine, part)
    found = [
        child
        for (kind, _), child in children.items()
        if kind == KIND and child["metadata"].get("labels", {}).get(naming.APP) == app
    ]
    return sorted(found, key=lambda revision: revision["revision"])


def _revision(
    engine: ValidatedEngine, part: str, live: Manifest, manifest: Manifest, number: int
) -> Manifest:
    made = owned(engine, "apps/v1", KIND, part, _name(engine, part, manifest))
    made["metadata"]["annotations"] |= {
        naming.TEMPLATE_HASH: _hash(manifest),
        naming.LIVE_TEMPLATE_HASH: fingerprint(live),
    }
    # The data of a ControllerRevision can never change, its number and annotations can.
    return made | {"revision": number, "data": {"template": manifest["spec"]["template"]}}


def _name(engine: ValidatedEngine, part: str, manifest: Manifest) -> str:
    return f"{naming.child(engine, part)}-{_hash(manifest)}"


def _hash(deployment: Manifest) -> str:
    annotations = deployment["spec"]["template"]["metadata"].get("annotations") or {}
    return str(annotations.get(naming.TEMPLATE_HASH, ""))


def _with_template(manifest: Manifest, template: Manifest) -> Manifest:
    made = copy.deepcopy(manifest)
    made["spec"]["template"] = copy.deepcopy(template)
    del made["metadata"]["annotations"][naming.DESIRED_HASH]
    made["metadata"]["annotations"][naming.DESIRED_HASH] = naming.digest(made)
    return made
