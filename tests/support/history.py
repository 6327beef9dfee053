"""An InsightEngine through passes of several operators, in memory: what each would apply and record."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from insight_operator import naming
from insight_operator.desired.pinning import Decision, decide
from insight_operator.desired.plan import key, plan
from insight_operator.desired.records import outlived, unrecorded
from insight_operator.desired.revisions import Held, held_back
from insight_operator.images import ImageSettings
from insight_operator.overlays import NO_OVERLAYS, PodOverlays
from insight_operator.snapshot import ChildKey, Manifest, Observed
from insight_operator.validate import ValidatedEngine, references, validate
from support.manifests import IMAGES, USABLE, resource

API: ChildKey = ("Deployment", "vanna-api")
WORKER: ChildKey = ("Deployment", "vanna-worker")
POSTGRES: ChildKey = ("StatefulSet", "vanna-postgres")
REDIS: ChildKey = ("StatefulSet", "vanna-redis")
NOON = datetime(2026, 5, 6, 12, 0, tzinfo=UTC)  # a Wednesday
_WELL: dict[str, Manifest] = {
    "Deployment": {
        "availableReplicas": 2,
        "conditions": [{"type": "Progressing", "reason": "NewReplicaSetAvailable"}],
    },
    "StatefulSet": {"readyReplicas": 1, "currentRevision": "a", "updateRevision": "a"},
}


class History:
    """What exists of an InsightEngine, and the operator that looks after it now."""

    def __init__(self, images: ImageSettings = IMAGES) -> None:
        self.children: dict[ChildKey, Manifest] = {}
        self.spec: Manifest = {}
        self.images = images
        self.overlays: PodOverlays = NO_OVERLAYS
        self.approved = ""
        self.now = NOON
        self.generation = 0
        self.status: Manifest = {}
        self.untouched = True

    def roll_out(self, spec: Manifest) -> Decision:
        """Change the spec, and let a pass do its work."""
        self.change(spec)
        return self.work()

    def change(self, spec: Manifest) -> None:
        """Change the spec alone."""
        self.spec = spec
        self.generation += 1

    def upgrade(self, **images: str) -> Decision:
        """Start an operator with other images and let a pass do its work."""
        engine, postgres, redis = (images.get(name, "") for name in ("engine", "postgres", "redis"))
        self.images = replace(
            self.images,
            engine=engine or self.images.engine,
            postgres=postgres or self.images.postgres,
            redis=redis or self.images.redis,
        )
        return self.work()

    def work(self) -> Decision:
        """Do what a pass does: apply what is planned, then record it. Rollouts end well at once."""
        decision, planned, held = self.look()
        for manifest in planned:
            made = copy.deepcopy(manifest)
            made["status"] = copy.deepcopy(_WELL.get(made["kind"], {}))
            self.children[key(manifest)] = made
        planned_keys = {key(manifest) for manifest in planned}
        self.children = {
            place: child
            for place, child in self.children.items()
            if place in planned_keys or place[0] == "ControllerRevision"
        }
        stopped = {one.deployment for one in held}
        for revision in unrecorded(self.engine, decision.planned, stopped, self.children, decision.causes):
            self.children[key(revision)] = revision
        for revision in outlived(self.engine, self.children):
            del self.children[key(revision)]
        job = next(item for item in planned if item["kind"] == "Job")
        self.status = {
            "observedGeneration": self.generation,
            "conditions": [],
            "migration": {"job": job["metadata"]["name"], "outcome": "succeeded"},
        }
        return decision

    def look(self) -> tuple[Decision, tuple[Manifest, ...], tuple[Held, ...]]:
        """Return what the next pass wants."""
        proven = set(self.children) if self.untouched else set()
        decision = decide(self.engine, plan(self.engine), self.observed, proven, self.now)
        return (decision, *held_back(self.engine, decision.planned, self.observed))

    def undo(self, template: Manifest, child: ChildKey = API) -> None:
        """Do what `kubectl rollout undo` does."""
        self.children[child]["spec"]["template"] = copy.deepcopy(template)

    def forget_causes(self) -> None:
        """Turn the records into those of the first release, which knew neither causes nor managed servers."""
        for place in [place for place in self.children if place[0] == "ControllerRevision"]:
            old = self.children.pop(place)
            notes = old["metadata"]["annotations"]
            del notes[naming.CAUSE]
            name = f"{old['metadata']['labels'][naming.APP]}-{notes[naming.TEMPLATE_HASH]}"
            if name.startswith(("vanna-api", "vanna-worker")):
                old["metadata"]["name"] = name
                old["data"] = {"template": old["data"]["template"]}
                self.children["ControllerRevision", name] = old

    @property
    def engine(self) -> ValidatedEngine:
        """The InsightEngine as the present operator understands it."""
        made = self.resource
        return validate(made, dict.fromkeys(references(made), USABLE), self.images, self.overlays)

    @property
    def resource(self) -> Manifest:
        """The InsightEngine."""
        annotations = {naming.APPROVE: self.approved} if self.approved else {}
        made = resource(self.spec, generation=self.generation, annotations=annotations)
        return made | {"status": self.status}

    @property
    def observed(self) -> Observed:
        """What a pass sees."""
        return Observed(self.resource, self.children)

    def template(self, child: ChildKey = API) -> Manifest:
        """Return a workload's template as it stands."""
        return copy.deepcopy(self.children[child]["spec"]["template"])

    def templates(self) -> Mapping[ChildKey, Manifest]:
        """Return every workload's template as it stands."""
        return {place: self.template(place) for place in (API, WORKER, POSTGRES, REDIS)}

    def numbers(self, app: str = "vanna-api") -> list[int]:
        """Return the recorded revisions of a component."""
        return sorted(
            child["revision"]
            for (kind, _), child in self.children.items()
            if kind == "ControllerRevision" and child["metadata"]["labels"][naming.APP] == app
        )

    def names(self, kind: str) -> set[str]:
        """Return the names of all children of a kind."""
        return {name for found, name in self.children if found == kind}
