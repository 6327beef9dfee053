"""In which fields two objects differ, as a person would say it. Pure."""

from collections.abc import Iterator
from typing import Any

from insight_operator import naming
from insight_operator.snapshot import Manifest

FIELDS_SHOWN = 8
_COMPARED = ("spec", "data", "rules", "labels", "annotations")


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Yield the paths at which two JSON values differ, in order; lists of other lengths as a whole."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from differences(before.get(key), after.get(key), f"{path}.{key}" if path else key)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, f"{path}[{index}]")
    elif before != after:
        yield path


def compared(manifest: Manifest) -> Manifest:
    """Return what a person would call the object: no bookkeeping of the API server's or ours."""
    flat = {**manifest, **manifest["metadata"]}
    shown = {part: flat.get(part) for part in _COMPARED}
    notes = dict(shown["annotations"] or {})
    notes.pop(naming.DESIRED_HASH, None)
    return shown | {"annotations": notes}


def template(manifest: Manifest) -> Any:
    """Return the template of an object's pods, None when it has none: another one restarts them."""
    return (manifest.get("spec") or {}).get("template")
