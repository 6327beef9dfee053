"""What applying a file would change, by the operator's own builders: render what is stored, render the file.

Both are rendered with the same settings, so what differs is what the file changes; neither the right to read
children nor the operator's own settings are needed. Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from insight_operator import naming
from insight_operator.comparing import FIELDS_SHOWN, compared, differences, template
from insight_operator.desired.plan import key, plan
from insight_operator.images import ImageSettings, repository
from insight_operator.snapshot import Change, Manifest, SecretFacts
from insight_operator.validate import EVERY_KEY, references, validate

_ASSUMED = SecretFacts({naming.USE_LABEL: "true"}, EVERY_KEY)
# Named by their content: another takes their place; the earlier is kept for a rollback, or was done long ago.
_REPLACED = frozenset({"ConfigMap", "Job"})
_BOOKKEEPING = (naming.TEMPLATE_HASH, naming.MIGRATE_JOB)


@dataclass(frozen=True, slots=True)
class Planned:
    """What applying one InsightEngine would do.

    Attributes:
        name: its name.
        namespace: its namespace.
        exists: whether there is one of that name.
        fields: the fields of the InsightEngine itself that would change.
        changes: child by child, in the order in which they would be made.
        restarts: workload → number of its pods that would be replaced.
        notes: what else a person should know, in sentences.
    """

    name: str
    namespace: str
    exists: bool
    fields: tuple[str, ...]
    changes: tuple[Change, ...]
    restarts: dict[str, int]
    notes: tuple[str, ...]


def planned(stored: Manifest | None, tried: Manifest, images: ImageSettings, version: str) -> Planned:
    """Return what applying would do.

    Args:
        stored: the InsightEngine as it is, None when there is none.
        tried: as the API server would store it.
        images: what absent fields stand for.
        version: of this program.

    Raises:
        OperatorError: the operator would refuse it.
    """
    before = rendered(stored, images) if stored else {}
    after = rendered(tried, images)
    changes = tuple(_changes(before, after))
    restarts = {
        change.object: after[_key(change)]["spec"].get("replicas", 1)
        for change in changes
        if change.restarts_pods
    }
    fields = tuple(f"spec.{path}" for path in differences((stored or {}).get("spec", {}), tried["spec"]))
    metadata = tried["metadata"]
    return Planned(
        name=metadata["name"],
        namespace=metadata.get("namespace", ""),
        exists=stored is not None,
        fields=fields if stored else (),
        changes=changes,
        restarts=restarts,
        notes=tuple(_notes(stored, tried, version, restarts=bool(restarts))),
    )


def rendered(resource: Manifest, images: ImageSettings) -> dict[tuple[str, str], Manifest]:
    """Return every child but Secrets by kind and name; Secrets and repositories are taken to be allowed."""
    facts = dict.fromkeys(references(resource), _ASSUMED)
    engine = validate(resource, facts, replace(images, allowlist=images.allowlist | _named(resource)))
    return {key(child): child for child in plan(engine)}


def _named(resource: Manifest) -> set[str]:
    spec = resource["spec"]
    chosen = [(spec.get("image") or {}).get("repository")]
    chosen += [((spec.get(part) or {}).get("managed") or {}).get("image") for part in ("database", "broker")]
    return {repository(reference) for reference in chosen if reference}


def _changes(
    before: dict[tuple[str, str], Manifest], after: dict[tuple[str, str], Manifest]
) -> Iterator[Change]:
    for name, child in after.items():
        title = "/".join(name)
        if name not in before:
            yield Change(title, "create")
        elif found := tuple(islice(_told(before[name], child), FIELDS_SHOWN)):
            restarts = template(before[name]) != template(child)
            yield Change(title, "change", found, restarts_pods=restarts)
    for name in before.keys() - after.keys():
        if name[0] not in _REPLACED:
            yield Change("/".join(name), "delete")


def _told(before: Manifest, after: Manifest) -> Iterator[str]:
    found = differences(compared(before), compared(after))
    return (path for path in found if not path.endswith(_BOOKKEEPING))


def _key(change: Change) -> tuple[str, str]:
    kind, _, name = change.object.partition("/")
    return kind, name


def _notes(stored: Manifest | None, tried: Manifest, version: str, *, restarts: bool) -> Iterator[str]:
    spec, status = tried["spec"], (stored or {}).get("status") or {}
    name = tried["metadata"]["name"]
    if spec.get("mode") == "Plan":
        yield "spec.mode is Plan: nothing of this is made before it is Apply."
    if spec.get("suspend"):
        yield "spec.suspend is true: nothing of this is made before it is false."
    if restarts and (spec.get("upgrade") or {}).get("strategy") == "Supervised":
        yield f"spec.upgrade.strategy is Supervised: pods restart after `kubectl insight approve {name}`."
    waiting = sorted({item["component"] for item in status.get("pendingRestart") or ()})
    if waiting:
        yield f"Restarts of {', '.join(waiting)} wait already: a change that concerns them lets them go too."
    runs = status.get("operatorVersion")
    if runs and runs != version:
        yield f"The operator is version {runs}, this plugin {version}: the operator may render differently."
