"""What the watches and our own writes last showed, in memory. It holds no truth: a restart fills it anew.

An object never goes back to an older version, so a late event cannot undo what a write just returned, and the
echo of a write wakes nobody.
"""

import sys
from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from typing import Any

from insight_operator import naming
from insight_operator.cluster import kinds
from insight_operator.cluster.client import Listing
from insight_operator.cluster.ownership import controller, is_shared
from insight_operator.snapshot import Manifest

Key = tuple[str, str]
"""Namespace and name of an InsightEngine."""

_Place = tuple[str, str, str]
_GONE_KEPT = 4096
"""Deleted objects that are remembered: more than can be written to while one answer is on its way."""
_SHARED_LENGTH = 256
"""Longer texts are hardly ever equal."""
# What status/ and gates.py read of a pod.
_POD_SPEC = frozenset({"volumes", "nodeName", "readinessGates"})
_CONTAINERS = frozenset({"initContainerStatuses", "containerStatuses"})
_POD_STATUS = frozenset({"phase", "reason", "message", "conditions"}) | _CONTAINERS
_CONTAINER_STATUS = frozenset({"name", "image", "ready", "restartCount", "state", "lastState"})
_BOOKKEEPING = frozenset({"resourceVersion", "managedFields"})


class Store:
    """InsightEngines, their children and pods by place. Who manages which field is left out."""

    def __init__(self) -> None:
        self._objects: dict[_Place, Manifest] = {}
        self._owned: defaultdict[Key, set[_Place]] = defaultdict(set)
        self._gone: OrderedDict[str, int] = OrderedDict()

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """Return an object as last seen."""
        return self._objects.get((kind, namespace, name))

    def engines(self) -> list[Key]:
        """Return the keys of all InsightEngines."""
        return [(namespace, name) for kind, namespace, name in self._objects if kind == naming.KIND]

    def resources(self) -> list[Manifest]:
        """Return all InsightEngines; safe to call from another thread."""
        return [found for (kind, _, _), found in list(self._objects.items()) if kind == naming.KIND]

    def owned(self, key: Key) -> Iterator[Manifest]:
        """Return what belongs to an InsightEngine of this name, pods included."""
        places = sorted(self._owned.get(key, ()))
        return (self._objects[place] for place in places)

    def put(self, manifest: Manifest) -> bool:
        """Take in an object that a write returned or an event showed; tell whether that is news."""
        place = _place(manifest)
        known = self._objects.get(place)
        if known is not None and not _supersedes(manifest, known):
            return False
        if _version(manifest) <= self._gone.get(manifest["metadata"].get("uid", ""), -1):
            return False  # what a write returned may reach us later than the word of the deletion
        kept = compact(manifest)
        self._remove(place)
        self._objects[place] = kept
        if manifest["kind"] != naming.KIND and (key := owner(manifest)):
            self._owned[key].add(place)
        return known is None or _essence(kept) != _essence(known)

    def note(self, event: str | None, manifest: Manifest) -> set[Key]:
        """Take in a watch event; return the keys of the InsightEngines for which it is news."""
        place = _place(manifest)
        known = self._objects.get(place)
        keys = {key for key in (owner(manifest), owner(known) if known else None) if key}
        if event != "DELETED":
            return keys if self.put(manifest) else set()
        if known is None or known["metadata"]["uid"] != manifest["metadata"]["uid"]:
            return set()
        self._remove(place)
        # With its version: an object that lost its label is told of as deleted too, and may come back.
        self._gone[known["metadata"]["uid"]] = _version(manifest)
        if len(self._gone) > _GONE_KEPT:
            self._gone.popitem(last=False)
        return keys

    def replace(self, kind: str, namespace: str, listing: Listing) -> set[Key]:
        """Take in a whole list, which may be a moment old; return the keys for which it holds news.

        An empty namespace says that the list is of all namespaces.
        """
        woken: set[Key] = set()
        for item in listing.items:
            woken |= self.note(None, item)
        listed = {_place(item) for item in listing.items}
        covered = [place for place in self._objects if place[0] == kind and namespace in {"", place[1]}]
        for place in covered:
            known = self._objects[place]
            if place not in listed and _version(known) <= listing.resource_version:
                woken |= self.note("DELETED", known)
        return woken

    def _remove(self, place: _Place) -> None:
        known = self._objects.pop(place, None)
        key = owner(known) if known else None
        if key is not None and key in self._owned:
            self._owned[key].discard(place)
            if not self._owned[key]:
                del self._owned[key]


def owner(manifest: Manifest) -> Key | None:
    """Return the key of the InsightEngine an object belongs to: itself, its controller, or its label."""
    metadata = manifest["metadata"]
    namespace = str(metadata.get("namespace", ""))
    if manifest["kind"] == naming.KIND:
        return namespace, str(metadata["name"])
    holder = controller(manifest)
    if holder is not None and holder.get("kind") == naming.KIND:
        return namespace, str(holder["name"])
    name = (metadata.get("labels") or {}).get(naming.ENGINE_LABEL)
    return (namespace, str(name)) if name else None


def _place(manifest: Manifest) -> _Place:
    metadata = manifest["metadata"]
    return str(manifest["kind"]), str(metadata.get("namespace", "")), str(metadata["name"])


def _version(manifest: Manifest) -> int:
    return int(manifest["metadata"].get("resourceVersion") or 0)


def _supersedes(manifest: Manifest, known: Manifest) -> bool:
    return _version(manifest) > _version(known)


def compact(manifest: Manifest) -> Manifest:
    """Drop managedFields, half of an object's size; an empty list stays where nobody shares what is ours.

    Of a pod only what is read of pods is kept, and every object names its fields by the same strings.
    """
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "managedFields"}
    kind = kinds.BY_KIND.get(manifest["kind"])
    if kind is not None and not is_shared(manifest, kind):
        metadata["managedFields"] = []
    made = {**manifest, "metadata": metadata}
    shared: Manifest = _sharing(_lean_pod(made) if kind is kinds.POD else made)
    return shared


def _lean_pod(pod: Manifest) -> Manifest:
    spec = {name: value for name, value in (pod.get("spec") or {}).items() if name in _POD_SPEC}
    status = {name: value for name, value in (pod.get("status") or {}).items() if name in _POD_STATUS}
    for group in _CONTAINERS & status.keys():
        status[group] = [
            {name: value for name, value in container.items() if name in _CONTAINER_STATUS}
            for container in status[group] or ()
        ]
    return {**pod, "spec": spec, "status": status}


def _sharing(value: Any) -> Any:
    """Return the same with one string in memory for all equal ones: most of an object is names of fields."""
    if isinstance(value, dict):
        return {_sharing(key): _sharing(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_sharing(item) for item in value]
    return sys.intern(value) if type(value) is str and len(value) <= _SHARED_LENGTH else value


def _essence(manifest: Manifest) -> Manifest:
    metadata = {key: value for key, value in manifest["metadata"].items() if key not in _BOOKKEEPING}
    return {**manifest, "metadata": metadata}
