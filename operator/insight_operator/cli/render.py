"""What `insight-operator render -f FILE` prints: every child that the InsightEngines of a file would get.

Reads a file that may hold several documents. Secrets among them are checked as references; those that are
not in the file are taken to be right. No value of a Secret is read or printed: generated ones show a
placeholder.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from insight_operator import naming
from insight_operator.cli.output import to_yaml
from insight_operator.desired import credentials
from insight_operator.desired.plan import plan
from insight_operator.errors import InvalidSpec, OperatorError
from insight_operator.images import ImageSettings
from insight_operator.overlays import NO_OVERLAYS, PodOverlays
from insight_operator.settings import POD_OVERLAYS, SettingsError, image_settings, pod_overlays
from insight_operator.snapshot import Manifest, SecretFacts
from insight_operator.validate import EVERY_KEY, ValidatedEngine, problems, references, validate

PLACEHOLDER = "PLACEHOLDER-the-operator-makes-the-real-value-once"
_SECRET_ENTRIES = {"password", credentials.KEYSET_FILE, credentials.STATE_KEY, credentials.CHECKSUM_KEY}


def command(file: str, overlays_file: str | None = None) -> int:
    """Print the children, or one `FIELD: message` line per mistake; return the exit code.

    Args:
        file: path of a YAML file; `-` for standard input.
        overlays_file: path of the overlays of pod templates; None: the one that the environment names.
    """
    try:
        overlays = _overlays(overlays_file)
    except SettingsError as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
        documents = [document for document in yaml.safe_load_all(text) if isinstance(document, dict)]
    except (OSError, UnicodeDecodeError, RecursionError, yaml.YAMLError) as error:
        sys.stderr.write(f"{file}: cannot be read as YAML: {' '.join(str(error).split())}\n")
        return 1
    engines = [document for document in documents if document.get("kind") == naming.KIND]
    if not engines:
        sys.stderr.write(f"{file}: holds no {naming.KIND}: give a file with at least one\n")
        return 1
    return _print(engines, _facts(documents), image_settings(), overlays)


def rendered(
    resource: Manifest,
    secrets: dict[str, SecretFacts],
    images: ImageSettings,
    overlays: PodOverlays = NO_OVERLAYS,
) -> Iterator[str]:
    """Yield the YAML of every child, Secrets with placeholders.

    Raises:
        OperatorError: the resource cannot be built.
    """
    known: dict[str, SecretFacts | None] = {name: _assumed() for name in references(resource)}
    engine = validate(resource, known | secrets, images, overlays)
    for manifest in placeholders(engine):
        yield f"# Values are placeholders: the operator makes the real ones once.\n{to_yaml(manifest)}"
    for manifest in plan(engine):
        yield to_yaml(manifest)


def placeholders(engine: ValidatedEngine) -> tuple[Manifest, ...]:
    """Return the generated Secrets with every secret value replaced."""
    state = credentials.issue(engine, None, bytes)
    return tuple(_blanked(secret) for secret in credentials.secrets(engine, state))


def _blanked(secret: Manifest) -> Manifest:
    entries = credentials.entries(secret)
    shown = {name: PLACEHOLDER if name in _SECRET_ENTRIES else value for name, value in entries.items()}
    return {name: value for name, value in secret.items() if name != "data"} | {"stringData": shown}


def _overlays(file: str | None) -> PodOverlays:
    if file is None:
        return pod_overlays(os.environ.get(POD_OVERLAYS, ""))
    return pod_overlays(file, "--pod-overlays")


def _print(
    engines: Sequence[Manifest], secrets: dict[str, SecretFacts], images: ImageSettings, overlays: PodOverlays
) -> int:
    documents: list[str] = []
    mistakes: list[str] = []
    for resource in engines:
        found = list(_mistakes(resource))
        if not found:
            try:
                documents += rendered(resource, secrets, images, overlays)
            except OperatorError as error:
                found = [error]
        where = f" (in {_name(resource)})" if len(engines) > 1 else ""
        mistakes += [f"{mistake}{where}\n" for mistake in found]
    if mistakes:
        sys.stderr.writelines(mistakes)
        return 1
    sys.stdout.write("---\n".join(documents))
    return 0


def _mistakes(resource: Manifest) -> Iterator[OperatorError]:
    if resource.get("apiVersion") != naming.API_VERSION:
        yield InvalidSpec("apiVersion", f"must be {naming.API_VERSION}")
    for field in ("metadata", "spec"):
        if not isinstance(resource.get(field), dict):
            yield InvalidSpec(field, "is required and must be an object")
            return
    yield from problems(resource)


def _name(resource: Manifest) -> str:
    metadata = resource.get("metadata")
    return str(metadata.get("name", "?")) if isinstance(metadata, dict) else "?"


def _facts(documents: Iterable[Manifest]) -> dict[str, SecretFacts]:
    found: dict[str, SecretFacts] = {}
    for document in documents:
        if document.get("kind") == "Secret" and isinstance(document.get("metadata"), dict):
            metadata: dict[str, Any] = document["metadata"]
            keys = {*(document.get("data") or {}), *(document.get("stringData") or {})}
            found[str(metadata.get("name"))] = SecretFacts(metadata.get("labels") or {}, frozenset(keys))
    return found


def _assumed() -> SecretFacts:
    return SecretFacts({naming.USE_LABEL: "true"}, EVERY_KEY)
