"""What a pass would change, asked of the API server by dry run: nothing is stored.

The server's own answer is compared, not our intent with what stands: defaults and admission are in it.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from insight_operator import naming
from insight_operator.cluster import errors
from insight_operator.cluster.client import Client
from insight_operator.cluster.inventory import fingerprint
from insight_operator.snapshot import Change, Manifest

_FIELDS_SHOWN = 8
_COMPARED = ("spec", "data", "rules", "labels", "annotations")


async def preview(client: Client, desired: Manifest, live: Manifest | None) -> Change | None:
    """Return what applying `desired` would do; None when nothing. Raises Unreachable."""
    title = f"{desired['kind']}/{desired['metadata']['name']}"
    try:
        if live is None:
            await client.create(desired, dry_run=True)
            return Change(title, "create")
        shown = await client.apply(desired, dry_run=True)
    except errors.AlreadyExists:
        return Change(title, "refused", message="an object of this name exists and is not ours")
    except (errors.Refused, errors.Forbidden) as refusal:
        return Change(title, "refused", message=str(refusal)[:1024])
    if fingerprint(shown) == fingerprint(live):
        return None
    fields = tuple(islice(differences(_compared(live), _compared(shown)), _FIELDS_SHOWN))
    restarts = _template(live) != _template(shown)
    return Change(title, "change", fields, restarts_pods=restarts) if fields else None


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


def _compared(manifest: Manifest) -> Manifest:
    """Return what a person would call the object: no bookkeeping of the API server's or ours."""
    flat = {**manifest, **manifest["metadata"]}
    shown = {part: flat.get(part) for part in _COMPARED}
    notes = dict(shown["annotations"] or {})
    notes.pop(naming.DESIRED_HASH, None)
    return shown | {"annotations": notes}


def _template(manifest: Manifest) -> Any:
    return (manifest.get("spec") or {}).get("template")
