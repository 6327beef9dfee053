"""What was rolled out of each component, kept as ControllerRevisions of the InsightEngine. Pure.

A record holds the pod template as it was rendered, the ConfigMap that it mounts and, for the API, the migrate
Job it needs: enough to run the same again without the operator that rendered it. The Deployment itself could
not remember: `kubectl rollout undo` copies an old ReplicaSet's annotations along with its template.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from insight_operator import naming
from insight_operator.desired.config_map import restored
from insight_operator.desired.deployments import REVISIONS_KEPT
from insight_operator.desired.objects import owned
from insight_operator.snapshot import ChildKey, Manifest
from insight_operator.validate import ValidatedEngine

KIND = "ControllerRevision"
PARTS = {
    naming.API: "Deployment",
    naming.WORKER: "Deployment",
    naming.POSTGRES: "StatefulSet",
    naming.REDIS: "StatefulSet",
}
# `kubectl rollout restart` marks the template and means no other rendering.
RESTARTED = "kubectl.kubernetes.io/restartedAt"


@dataclass(frozen=True, slots=True)
class Record:
    """One rendering that was rolled out.

    Attributes:
        name: of the ControllerRevision; empty for one that is only read off a live object.
        number: counts up with each that is rolled out.
        rendered: hash of the pod template.
        shown: hash of the template as the API server showed it.
        cause: digest of what the user gave; empty in records of operators that kept none.
        template: the pod template.
        config: name and data of the ConfigMap that it mounts; None where it mounts none, or none was kept.
        job: name and spec of the migrate Job it needs; None where it needs none, or none was kept.
    """

    name: str
    number: int
    rendered: str
    shown: str
    cause: str
    template: Manifest
    config: Manifest | None = None
    job: Manifest | None = None


def part_of(engine: ValidatedEngine, manifest: Manifest) -> str | None:
    """Return which component's pods an object runs; None for any other object."""
    kind, name = manifest["kind"], manifest["metadata"]["name"]
    return next((part for part in PARTS if (PARTS[part], naming.child(engine, part)) == (kind, name)), None)


def kept(engine: ValidatedEngine, part: str, children: Mapping[ChildKey, Manifest]) -> list[Record]:
    """Return the recorded renderings of a component, the newest last."""
    app = naming.child(engine, part)
    found = [
        _read(child)
        for (kind, _), child in children.items()
        if kind == KIND and child["metadata"].get("labels", {}).get(naming.APP) == app
    ]
    return sorted(found, key=lambda record: record.number)


def unrecorded(
    engine: ValidatedEngine,
    planned: Sequence[Manifest],
    held: Iterable[str],
    children: Mapping[ChildKey, Manifest],
    causes: Mapping[str, str],
) -> tuple[Manifest, ...]:
    """Return the ControllerRevisions to write for what was rolled out; call it after that was.

    Args:
        engine: whose they are.
        planned: what was rolled out, or would be but for a rollback by hand.
        held: the Deployments that stay as a person rolled them back.
        children: what exists.
        causes: by component, what caused its rendering; a component that is absent keeps what is recorded.
    """
    made = []
    for manifest in planned:
        part, name = part_of(engine, manifest), manifest["metadata"]["name"]
        live = children.get((manifest["kind"], name))
        if part is None or live is None or (name not in held and rendering(live) != rendering(manifest)):
            continue
        records = kept(engine, part, children)
        newest = records[-1] if records else None
        shown = newest.shown if newest and name in held else fingerprint(live)
        cause = causes.get(part, newest.cause if newest else "")
        data = _data(part, manifest, planned)
        same = newest is not None and newest.name == _name(engine, part, data)
        if newest is None or not same or newest.cause != cause:
            number = (newest.number if newest else 0) + (0 if same else 1)
            notes = {naming.TEMPLATE_HASH: rendering(manifest), naming.LIVE_TEMPLATE_HASH: shown}
            made.append(_revision(engine, part, data, number, notes | {naming.CAUSE: cause}))
    return tuple(made)


def begun(record: Record | None, rendered: Iterable[Manifest], status: Manifest) -> bool:
    """Tell whether the migration that comes with another rendering than recorded was begun, by the status.

    There is no way back from it: the recorded migrate Job would meet a schema newer than its own.
    """
    job = next(item["metadata"]["name"] for item in rendered if item["kind"] == "Job")
    told = status.get("migration") or {}
    another = bool(record and record.job and record.job["name"] != job)
    return another and told.get("job") == job and told.get("outcome") != "failed"


def renumbered(revision: Manifest) -> Manifest:
    """Return the change that makes a recorded rendering the newest again, or its cause another."""
    return {
        "revision": revision["revision"],
        "metadata": {"annotations": revision["metadata"]["annotations"]},
    }


def outlived(engine: ValidatedEngine, children: Mapping[ChildKey, Manifest]) -> tuple[Manifest, ...]:
    """Return the ControllerRevisions that are older than any ReplicaSet that is kept, or said again later."""
    gone = []
    for part in PARTS:
        records = kept(engine, part, children)
        latest = {record.rendered: record.name for record in records}
        current = [record for record in records if latest[record.rendered] == record.name]
        staying = {record.name for record in current[-REVISIONS_KEPT - 1 :]}
        gone += [children[KIND, record.name] for record in records if record.name not in staying]
    return tuple(gone)


def config_maps(
    engine: ValidatedEngine, planned: Sequence[Manifest], children: Mapping[ChildKey, Manifest]
) -> tuple[Manifest, ...]:
    """Return the plan with the ConfigMaps of every rendering that runs or could be gone back to."""
    records = [record for part in PARTS for record in kept(engine, part, children)]
    wanted = dict.fromkeys(
        [
            *(name for item in planned if part_of(engine, item) for name in _mounted(item)),
            *(str(record.config["name"]) for record in records if record.config),
        ]
    )
    rendered = {item["metadata"]["name"]: item for item in planned if item["kind"] == "ConfigMap"}
    stored = {record.config["name"]: record.config["data"] for record in records if record.config}
    live = {name: child.get("data") for (kind, name), child in children.items() if kind == "ConfigMap"}
    made = []
    for name in wanted:
        data = stored.get(name) or live.get(name)
        if name in rendered:
            made.append(rendered[name])
        elif data is not None and (config := restored(engine, name, data)):
            made.append(stamped(config))
    return (*made, *(item for item in planned if item["kind"] != "ConfigMap"))


def with_template(manifest: Manifest, template: Manifest) -> Manifest:
    """Return a workload with another pod template."""
    made = copy.deepcopy(manifest)
    made["spec"]["template"] = copy.deepcopy(template)
    return stamped(made)


def stamped(manifest: Manifest) -> Manifest:
    """Write the hash of a planned child into it, in place of an earlier one; return it."""
    annotations = manifest["metadata"]["annotations"]
    annotations.pop(naming.DESIRED_HASH, None)
    annotations[naming.DESIRED_HASH] = naming.digest(manifest)
    return manifest


def rendering(workload: Manifest) -> str:
    """Return the hash of the rendering that a workload's pod template says it came from."""
    annotations = workload["spec"]["template"]["metadata"].get("annotations") or {}
    return str(annotations.get(naming.TEMPLATE_HASH, ""))


def fingerprint(workload: Manifest) -> str:
    """Return a hash of a live workload's template, the same before and after an undo of an undo."""
    return naming.digest(unmarked(workload["spec"]["template"]))


def unmarked(template: Manifest) -> Manifest:
    """Return a live pod template without the mark of a restart by hand."""
    made = copy.deepcopy(template)
    (made["metadata"].get("annotations") or {}).pop(RESTARTED, None)
    return made


def _mounted(workload: Manifest) -> list[str]:
    volumes = workload["spec"]["template"]["spec"].get("volumes") or ()
    return [volume["configMap"]["name"] for volume in volumes if volume["name"] == naming.CONFIG]


def _data(part: str, manifest: Manifest, planned: Sequence[Manifest]) -> Manifest:
    data: Manifest = {"template": manifest["spec"]["template"]}
    mounted = _mounted(manifest)
    for item in planned:
        name = item["metadata"]["name"]
        if item["kind"] == "ConfigMap" and name in mounted:
            data["configMap"] = {"name": name, "data": item["data"]}
        if item["kind"] == "Job" and part == naming.API:
            data["migrateJob"] = {"name": name, "spec": item["spec"]}
    return data


def _name(engine: ValidatedEngine, part: str, data: Manifest) -> str:
    return naming.hashed_child(engine, part, data)


def _revision(
    engine: ValidatedEngine, part: str, data: Manifest, number: int, annotations: Mapping[str, str]
) -> Manifest:
    made = owned(engine, "apps/v1", KIND, part, _name(engine, part, data))
    made["metadata"]["annotations"] |= annotations
    # The data of a ControllerRevision can never change, its number and annotations can.
    return made | {"revision": number, "data": data}


def _read(revision: Manifest) -> Record:
    notes, data = revision["metadata"].get("annotations") or {}, revision["data"]
    return Record(
        name=revision["metadata"]["name"],
        number=revision["revision"],
        rendered=str(notes.get(naming.TEMPLATE_HASH, "")),
        shown=str(notes.get(naming.LIVE_TEMPLATE_HASH, "")),
        cause=str(notes.get(naming.CAUSE, "")),
        template=data["template"],
        config=data.get("configMap"),
        job=data.get("migrateJob"),
    )
