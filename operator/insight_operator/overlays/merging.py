"""Lays an overlay over a rendered pod template. Pure.

Maps are merged entry by entry, lists of named things by their names; of what both name, the overlay's stands.
The operator's own containers stay first: readers of pods take the first for the main one.
"""

import copy
from typing import Any, Final

from insight_operator.snapshot import Manifest

_KEYS: Final = {
    "containers": "name",
    "env": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "sysctls": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
"""What tells the entries of a list apart; entries of other lists are added unless they are there."""
_READ_BY_GROUP: Final = 0o440


def overlaid(template: Manifest, overlay: Manifest | None, selector: Manifest) -> Manifest:
    """Return the template with the overlay laid over it; without one, the same.

    Args:
        template: as the operator renders it.
        overlay: checked, shaped like the template.
        selector: labels of the component's pods: what spreading is over unless the overlay says.
    """
    if not overlay:
        return template
    return dict(_merged(template, _completed(copy.deepcopy(overlay), template["spec"], selector), ""))


def _completed(overlay: Manifest, spec: Manifest, selector: Manifest) -> Manifest:
    """Fill in what an overlay may leave out: added containers are as closed as the operator's own."""
    added = overlay.get("spec", {})
    user = spec["securityContext"]["runAsUser"]
    for name in ("containers", "initContainers"):
        own = {container["name"] for container in spec.get(name, ())}
        for container in added.get(name, ()):
            if container["name"] not in own:
                container["securityContext"] = _closed(container.get("securityContext", {}), user)
    for volume in added.get("volumes", ()):
        for source in ("configMap", "projected", "secret"):
            if source in volume:
                volume[source].setdefault("defaultMode", _READ_BY_GROUP)
    for constraint in added.get("topologySpreadConstraints", ()):
        constraint.setdefault("labelSelector", {"matchLabels": dict(selector)})
    return overlay


def _closed(context: Manifest, user: int) -> Manifest:
    """Return the security context of an added container: strict where it says nothing."""
    uid = context.get("runAsUser", user)
    strict: Manifest = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsGroup": uid,
        "runAsNonRoot": True,
        "runAsUser": uid,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return dict(_merged(strict, context, ""))


def _merged(base: Any, over: Any, field: str) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        joined = {
            key: _merged(base[key], value, key) if key in base else value for key, value in over.items()
        }
        return {**base, **joined}
    if isinstance(base, list) and isinstance(over, list):
        if key := _KEYS.get(field):
            return _joined(base, over, key, first=field == "initContainers")
        return [*base, *(item for item in over if item not in base)]
    return over


def _joined(base: list[Manifest], over: list[Manifest], key: str, *, first: bool) -> list[Manifest]:
    """Join two lists by a key. `first`: what is new goes before, as what fetches things for ours must."""
    given = {item[key]: item for item in over}
    kept = [_merged(item, given.get(item[key], {}), "") for item in base]
    there = {item[key] for item in base}
    new = [item for item in over if item[key] not in there]
    return [*new, *kept] if first else [*kept, *new]
