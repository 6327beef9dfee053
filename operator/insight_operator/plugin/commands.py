"""What each command of `kubectl insight` does: ask kubectl, decide by a pure function, print lines."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from insight_operator import __version__, naming
from insight_operator.plugin import status as view
from insight_operator.plugin.kubectl import Kubectl
from insight_operator.snapshot import Change, Manifest

ANSWER_IS_NO = 3


class UsageError(Exception):
    """A request that cannot be meant; the message says what to write instead."""


def status(kubectl: Kubectl, given: argparse.Namespace) -> int:
    """Show an InsightEngine; return the exit code."""
    resource = kubectl.engine(given.name)
    _print(view.lines(resource, datetime.now(UTC)))
    return ANSWER_IS_NO if given.exit_code and not view.is_ready(resource) else 0


def plan(kubectl: Kubectl, given: argparse.Namespace) -> int:
    """Show what applying a file would do; return the exit code."""
    from insight_operator.plugin.planning import planned
    from insight_operator.settings import image_settings

    changed = False
    for resource in _engines(given.file):
        tried = kubectl.tried(resource, server_side=given.server_side)
        metadata = tried["metadata"]
        stored = kubectl.engine_if_any(metadata["name"], metadata["namespace"])
        found = planned(stored, tried, image_settings(), __version__)
        changed = changed or bool(found.changes or found.fields)
        head = f"InsightEngine {found.name} in namespace {found.namespace}"
        _print(
            [f"{head} {'would change' if found.exists else 'would be made'}:"]
            if found.fields or not found.exists
            else [f"{head} is as the file says."]
        )
        _print(f"  {field}" for field in found.fields)
        if found.changes:
            _print(["", "Of its objects:", *view.plan([_shown(change) for change in found.changes])])
        _print(_restarts(found.restarts, exists=found.exists))
        _print(f"Note: {note}" for note in found.notes)
    return ANSWER_IS_NO if given.exit_code and changed else 0


def approve(kubectl: Kubectl, given: argparse.Namespace) -> int:
    """Approve restarts that wait; return the exit code. Raises UsageError."""
    pending = (kubectl.engine(given.name).get("status") or {}).get("pendingRestart") or []
    if not pending:
        _print([f"Nothing of {given.name} waits for an approval."])
        return 0
    chosen = _chosen(pending, given.only, everything=given.all)
    revisions = ",".join(sorted({item["revision"] for item in chosen}))
    kubectl.merge(given.name, {"metadata": {"annotations": {naming.APPROVE: revisions}}})
    _print([f"Approved for {given.name}: {_waiting(chosen)}. Its pods restart now."])
    return 0


def suspend(kubectl: Kubectl, given: argparse.Namespace) -> int:
    """Stop all changes; return the exit code."""
    return _set_suspend(kubectl, given.name, wanted=True)


def resume(kubectl: Kubectl, given: argparse.Namespace) -> int:
    """Go on with changes; return the exit code."""
    return _set_suspend(kubectl, given.name, wanted=False)


def _set_suspend(kubectl: Kubectl, name: str, *, wanted: bool) -> int:
    said = (
        "suspended: the operator changes nothing of it" if wanted else "resumed: the operator looks after it"
    )
    if bool(kubectl.engine(name)["spec"].get("suspend")) == wanted:
        _print([f"{name} is {'suspended' if wanted else 'not suspended'} already."])
        return 0
    kubectl.merge(name, {"spec": {"suspend": wanted}})
    _print([f"{name} is {said}. If a file or a tool such as Argo CD owns its spec, change it there too."])
    return 0


def _engines(file: str) -> list[Manifest]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        documents = [document for document in yaml.safe_load_all(text) if isinstance(document, dict)]
    except (OSError, UnicodeDecodeError, RecursionError, yaml.YAMLError) as error:
        raise UsageError(f"{file} cannot be read as YAML: {' '.join(str(error).split())}") from None
    engines = [document for document in documents if document.get("kind") == naming.KIND]
    if not engines:
        raise UsageError(f"{file} holds no {naming.KIND}: give a file with at least one")
    return engines


def _shown(change: Change) -> dict[str, Any]:
    return {
        "action": change.action,
        "object": change.object,
        "fields": change.fields,
        "restartsPods": change.restarts_pods,
    }


def _restarts(restarts: dict[str, int], *, exists: bool) -> Iterator[str]:
    if restarts:
        named = ", ".join(f"{name} ({pods} pod{'s' if pods != 1 else ''})" for name, pods in restarts.items())
        yield f"Pods that restart: {named}."
    elif exists:
        yield "No pod restarts."


def _chosen(pending: list[Manifest], only: list[str], *, everything: bool) -> list[Manifest]:
    """Return what is approved: all, what was named, or the only revision that waits."""
    known = {item[key] for item in pending for key in ("component", "revision")}
    if unknown := [word for word in only if word not in known]:
        raise UsageError(f"{', '.join(unknown)} does not wait: what waits is {_waiting(pending)}")
    if everything or (not only and len({item["revision"] for item in pending}) == 1):
        return pending
    if not only:
        raise UsageError(f"say --all, or --only what: what waits is {_waiting(pending)}")
    return [item for item in pending if {item["component"], item["revision"]} & set(only)]


def _waiting(pending: Iterable[Manifest]) -> str:
    return ", ".join(f"{item['component']} ({item['revision']})" for item in pending)


def _print(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
