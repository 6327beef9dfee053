"""What was applied and how the API server then showed it, per child: proof that nothing needs doing. Pure.

It lives in one ConfigMap per InsightEngine, written once per change, so that a restarted operator proves the
state from its first lists alone and writes nothing.
"""

import hashlib
import json
from typing import Any

from insight_operator import naming
from insight_operator.snapshot import ChildKey, Manifest

PART = "inventory"
_ENTRY = "children"
# Controllers write these into what we own; they say nothing about our intent.
_FOREIGN_ANNOTATIONS = ("deployment.kubernetes.io/revision", "pv.kubernetes.io/", "volume.kubernetes.io/")
_FOREIGN_SPEC = frozenset({"volumeName"})
_INTENT_METADATA = ("labels", "ownerReferences")
_NO_INTENT = frozenset({"metadata", "status", "kind", "apiVersion"})


def fingerprint(manifest: Manifest) -> str:
    """Return a hash of everything in a live object that an intent may name: no status, no bookkeeping."""
    metadata = manifest.get("metadata", {})
    annotations = metadata.get("annotations") or {}
    shown = {key: value for key, value in manifest.items() if key not in _NO_INTENT}
    if "spec" in shown:
        shown["spec"] = {key: value for key, value in shown["spec"].items() if key not in _FOREIGN_SPEC}
    shown["metadata"] = {key: metadata.get(key) for key in _INTENT_METADATA} | {
        "annotations": {
            key: value for key, value in annotations.items() if not key.startswith(_FOREIGN_ANNOTATIONS)
        }
    }
    return digest(shown)


def digest(content: Any) -> str:
    """Return a short hash of JSON content, the same for equal content."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:20]


class Inventory:
    """The applied children of one InsightEngine during one pass."""

    def __init__(self, stored: Manifest | None) -> None:
        self._entries = _read(stored)
        self._stored = dict(self._entries) if stored is not None else None

    @property
    def changed(self) -> bool:
        """Whether it differs from what is stored."""
        return self._entries != self._stored

    def proves(self, desired: Manifest, live_fingerprint: str) -> bool:
        """Tell whether the live object is exactly what applying `desired` led to."""
        return self._entries.get(_name(desired)) == f"{digest(desired)} {live_fingerprint}"

    def knows(self, live: Manifest) -> bool:
        """Tell whether the live object is what the last apply of it led to, whatever that asked for."""
        return self._entries.get(_name(live), "").endswith(f" {fingerprint(live)}")

    def record(self, desired: Manifest, live_fingerprint: str) -> None:
        """Remember what applying `desired` led to."""
        self._entries[_name(desired)] = f"{digest(desired)} {live_fingerprint}"

    def keep_only(self, children: set[ChildKey]) -> None:
        """Forget what no plan names any more."""
        names = {f"{kind}/{name}" for kind, name in children}
        self._entries = {name: entry for name, entry in self._entries.items() if name in names}

    def manifest(self, engine: naming.Named) -> Manifest:
        """Return the ConfigMap to store."""
        name = naming.child(engine, PART)
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": name,
                "namespace": engine.namespace,
                "labels": naming.labels(engine, PART),
                "ownerReferences": [naming.owner_reference(engine)],
            },
            "data": {_ENTRY: json.dumps(self._entries, sort_keys=True, indent=0)},
        }


def _name(manifest: Manifest) -> str:
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def _read(stored: Manifest | None) -> dict[str, str]:
    """Return the entries; what somebody made unreadable proves nothing, so everything is applied again."""
    try:
        entries = json.loads((stored or {}).get("data", {}).get(_ENTRY, "{}"))
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in entries.items()} if isinstance(entries, dict) else {}
