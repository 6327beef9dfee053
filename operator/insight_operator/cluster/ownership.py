"""Whose an object is, and which of its fields strangers hold. Pure: decides from one live object.

Server-side apply never removes what other managers added, so their hold on a spec that is ours alone is
merged into our own entry first; the next apply then removes whatever the intent does not name.
"""

import copy
from typing import Any

from insight_operator import naming
from insight_operator.cluster.client import CHILDREN_MANAGER
from insight_operator.cluster.kinds import Kind
from insight_operator.snapshot import Manifest

Fields = dict[str, Any]

# `kubectl rollout restart` asks for new pods, not for another spec: it is let live.
_RESTART = ("f:spec", "f:template", "f:metadata", "f:annotations", "f:kubectl.kubernetes.io/restartedAt")


def controller(live: Manifest) -> Manifest | None:
    """Return the controller reference of an object, None when nobody controls it."""
    references = live.get("metadata", {}).get("ownerReferences") or []
    return next((dict(reference) for reference in references if reference.get("controller")), None)


def is_ours(live: Manifest, engine: naming.Named) -> bool:
    """Tell whether a live object may be written: ours by controller, kept for us, or handed over to us."""
    holder = controller(live)
    if holder is not None:
        return bool(holder.get("uid") == engine.uid)
    metadata = live.get("metadata", {})
    kept_for = (metadata.get("labels") or {}).get(naming.RETAINED_FOR)
    adopted_by = (metadata.get("annotations") or {}).get(naming.ADOPT)
    return engine.name in {kept_for, adopted_by}


def is_leftover(live: Manifest, engine: naming.Named) -> bool:
    """Tell whether it belongs to a deleted InsightEngine of the same name and will be collected."""
    holder = controller(live)
    return holder is not None and (holder.get("kind"), holder.get("name")) == (naming.KIND, engine.name)


def engine_of(live: Manifest) -> str:
    """Return the name of the InsightEngine that it belongs to or is kept for, "" when there is none."""
    holder = controller(live)
    if holder is not None:
        return str(holder.get("name")) if holder.get("kind") == naming.KIND else ""
    return str((live.get("metadata", {}).get("labels") or {}).get(naming.RETAINED_FOR, ""))


def is_shared(live: Manifest, kind: Kind) -> bool:
    """Tell whether anyone but our apply entry holds fields that are ours alone."""
    return any(_taken(entry, kind) for entry in live.get("metadata", {}).get("managedFields") or [])


def absorbed(live: Manifest, kind: Kind) -> list[Manifest]:
    """Return managedFields in which our apply entry also holds what strangers held of our part."""
    entries = copy.deepcopy(live.get("metadata", {}).get("managedFields") or [])
    ours: Manifest = next(
        (entry for entry in entries if _is_own_apply(entry)),
        {
            "manager": CHILDREN_MANAGER,
            "operation": "Apply",
            "apiVersion": kind.api_version,
            "fieldsType": "FieldsV1",
            "fieldsV1": {},
        },
    )
    kept: list[Manifest] = [ours]
    for entry in entries:
        if entry is ours:
            continue
        taken = _taken(entry, kind)
        _merge(ours["fieldsV1"], taken)
        entry["fieldsV1"] = _without(entry.get("fieldsV1") or {}, taken)
        if entry["fieldsV1"]:
            kept.append(entry)
    return kept


def _is_own_apply(entry: Manifest) -> bool:
    return entry.get("manager") == CHILDREN_MANAGER and entry.get("operation") == "Apply"


def _taken(entry: Manifest, kind: Kind) -> Fields:
    """Return the fields of an entry that are to become ours: all of our creation, the spec of a stranger."""
    if _is_own_apply(entry) or entry.get("subresource") == "status":
        return {}
    fields = entry.get("fieldsV1") or {}
    if entry.get("manager") == CHILDREN_MANAGER:
        return dict(fields)
    if not kind.whole_spec or "f:spec" not in fields:
        return {}
    return _without_path(copy.deepcopy({"f:spec": fields["f:spec"]}), _RESTART)


def _without_path(fields: Fields, path: tuple[str, ...]) -> Fields:
    head, rest = path[0], path[1:]
    if head in fields:
        if rest:
            fields[head] = _without_path(fields[head], rest)
        if not rest or not any(key != "." for key in fields[head]):
            del fields[head]
    return fields


def _merge(target: Fields, source: Fields) -> None:
    for key, value in source.items():
        _merge(target.setdefault(key, {}), value)


def _without(fields: Fields, taken: Fields) -> Fields:
    """Return the fields less those taken; a branch that becomes empty goes too."""
    left: Fields = {}
    for key, value in fields.items():
        if key not in taken:
            left[key] = value
        elif value and (rest := _without(value, taken[key])):
            left[key] = rest
    return left
