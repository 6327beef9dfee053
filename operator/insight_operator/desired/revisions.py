"""Which rendering of a Deployment's pods is to run: the planned one, or one that a person went back to. Pure.

`kubectl rollout undo` puts an old ReplicaSet's template and annotations onto the Deployment. It is told from
a change made by hand by the records of what was rolled out. An undone Deployment is held at the earlier
rendering until the planned pods change.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from insight_operator.desired.records import (
    Record,
    fingerprint,
    kept,
    part_of,
    rendering,
    with_template,
)
from insight_operator.snapshot import Manifest, Observed
from insight_operator.validate import ValidatedEngine


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
        part = part_of(engine, manifest) if manifest["kind"] == "Deployment" else None
        found = _undone(manifest, observed, kept(engine, part, observed.children)) if part else None
        if found is None:
            made.append(manifest)
            continue
        earlier, newest = found
        made.append(with_template(manifest, earlier.template))
        held.append(Held(manifest["metadata"]["name"], earlier.number, newest.number))
    return tuple(made), tuple(held)


def _undone(
    manifest: Manifest, observed: Observed, records: Sequence[Record]
) -> tuple[Record, Record] | None:
    """Return the rendering a person went back to, and the newest, which the plan asks for still."""
    live = observed.children.get((manifest["kind"], manifest["metadata"]["name"]))
    if live is None or not records or rendering(live) == rendering(manifest):
        return None
    *earlier, newest = records
    if rendering(manifest) != newest.rendered:
        return None  # the rendering has changed since: that lets go of an undo
    shown = fingerprint(live)
    return next(((old, newest) for old in earlier if old.shown == shown), None)
