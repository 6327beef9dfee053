"""What `kubectl insight status` shows of an InsightEngine. Pure: the time is an argument."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from insight_operator.plugin.table import table
from insight_operator.snapshot import Manifest

_FIRST = ("Ready", "Available", "Reconciling", "Stalled", "Degraded", "Suspended")
_COMPONENTS = ("api", "worker", "database", "broker")


def is_ready(resource: Manifest) -> bool:
    """Tell whether the present generation is rolled out and serves."""
    status = resource.get("status") or {}
    current = status.get("observedGeneration") == resource["metadata"].get("generation")
    return current and _condition(status, "Ready").get("status") == "True"


def lines(resource: Manifest, now: datetime) -> Iterator[str]:
    """Yield the lines of the whole picture."""
    status: Manifest = resource.get("status") or {}
    yield from _head(resource, status)
    if status.get("conditions"):
        yield from (
            "",
            "CONDITIONS",
            *table(("TYPE", "STATUS", "REASON", "FOR", "MESSAGE"), _conditions(status, now)),
        )
    if status.get("components"):
        yield from (
            "",
            "COMPONENTS",
            *table(("NAME", "AVAILABLE", "UPDATED", "IMAGE", "MESSAGE"), _components(status)),
        )
    if status.get("pendingRestart"):
        yield from (
            "",
            "PENDING RESTARTS",
            *table(("COMPONENT", "REVISION", "REASON", "MESSAGE"), _pending(status)),
        )
        yield f"  Let them go: kubectl insight approve {resource['metadata']['name']} --all"
    if "plan" in status:
        yield from ("", "PLAN", *plan(status["plan"].get("changes") or ()))


def plan(changes: Any) -> list[str]:
    """Return the lines of a list of changes, one each, and the first fields of each."""
    if not changes:
        return ["  Nothing would change."]
    made = []
    for change in changes:
        restarts = "   restarts its pods" if change.get("restartsPods") else ""
        said = f"   {change['message']}" if change.get("message") else ""
        made.append(f"  {change['action']:<8} {change['object']}{restarts}{said}")
        made += [f"             {field}" for field in change.get("fields") or ()]
    return made


def _head(resource: Manifest, status: Manifest) -> Iterator[str]:
    metadata = resource["metadata"]
    generation, observed = metadata.get("generation"), status.get("observedGeneration")
    yield f"InsightEngine {metadata['name']} in namespace {metadata.get('namespace', '')}"
    if observed is None:
        yield "No operator has looked at it yet: check that one runs and looks after this namespace."
        return
    if observed != generation:
        yield f"The operator has not seen generation {generation} yet: this is about generation {observed}."
    ready = _condition(status, "Ready")
    verdict = "Ready" if is_ready(resource) else "Not ready"
    yield f"{verdict}: {ready.get('reason', '')}. {ready.get('message', '')}"
    facts = (("engine", "version"), ("operator", "operatorVersion"), ("address", "url"))
    known = [f"{label} {status[key]}" for label, key in facts if status.get(key)]
    if known:
        yield ", ".join(known)


def _condition(status: Manifest, kind: str) -> Manifest:
    return next((dict(item) for item in status.get("conditions") or () if item.get("type") == kind), {})


def _conditions(status: Manifest, now: datetime) -> Iterator[tuple[str, ...]]:
    order = {kind: place for place, kind in enumerate(_FIRST)}
    for found in sorted(status["conditions"], key=lambda item: (order.get(item["type"], 99), item["type"])):
        since = age(found.get("lastTransitionTime", ""), now)
        yield found["type"], found["status"], found.get("reason", ""), since, found.get("message", "")


def _components(status: Manifest) -> Iterator[tuple[str, ...]]:
    for name in _COMPONENTS:
        found = status["components"].get(name)
        if found:
            available = f"{found.get('available', 0)}/{found.get('desired', 0)}"
            yield (
                name,
                available,
                str(found.get("updated", 0)),
                found.get("image", ""),
                found.get("message", ""),
            )


def _pending(status: Manifest) -> Iterator[tuple[str, ...]]:
    for found in status["pendingRestart"]:
        yield tuple(str(found.get(key, "")) for key in ("component", "revision", "reason", "message"))


def age(since: str, now: datetime) -> str:
    """Return how long ago an RFC 3339 time was, in its largest unit; empty when it is none."""
    try:
        passed = int((now - datetime.fromisoformat(since)).total_seconds())
    except (TypeError, ValueError):
        return ""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if passed >= 2 * size:
            return f"{passed // size}{unit}"
    return f"{max(passed, 0)}s"
