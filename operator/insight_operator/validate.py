"""From a raw InsightEngine and the facts of what it refers to, to data that builders may trust. Pure.

Nothing built from a ValidatedEngine should be refused by the API server: whatever can be wrong is found
here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from insight_operator import naming
from insight_operator.crd.base import DNS_LABEL, RULE_ERROR
from insight_operator.crd.models import NAME_LIMIT, EngineSpec
from insight_operator.errors import InvalidReference, InvalidSpec
from insight_operator.images import ImageSettings, allowed, engine_image, repository, version
from insight_operator.overlays import NO_OVERLAYS, PodOverlays
from insight_operator.snapshot import Manifest, SecretFacts

_ADDRESS = (frozenset({"uri"}), frozenset({"host", "port", "username", "password"}))
_DATABASE_ADDRESS = (frozenset({"uri"}), frozenset({"host", "port", "dbname", "username", "password"}))
_LOGIN = (frozenset({"username", "password"}),)
_OBJECT_STORE = (frozenset({"endpoint", "bucket", "region", "access_key_id", "secret_access_key"}),)
_PULL = (frozenset({".dockerconfigjson"}),)
EVERY_KEY = frozenset[str]().union(*_ADDRESS, *_DATABASE_ADDRESS, *_LOGIN, *_OBJECT_STORE, *_PULL)
"""Every entry that a referenced Secret may have to hold: what offline tools take for granted."""
SPEC_LIMIT = 384 * 1024
"""Bytes that a spec may have when written out as the engine's configuration is: what is made of it must fit
into a ConfigMap and into the record of a rollout."""
_OFFLINE_UID = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class ValidatedEngine:
    """An InsightEngine with every default resolved and every reference checked.

    Attributes:
        name: its name; the prefix of every child's.
        namespace: where it and all its children live.
        uid: what owner references point at.
        generation: the generation of the spec.
        spec: the spec with all defaults.
        image: full reference of the engine image.
        version: version of the engine, as its image says.
        postgres_image: full reference of the managed PostgreSQL's image.
        redis_image: full reference of the managed Redis's image.
        database_secret: the Secret mounted as the `database` set.
        broker_secret: the Secret mounted as the `broker` set.
        admin_secret: the Secret mounted as the `bootstrap-admin` set.
        overlays: what the operator's administrator lays over pod templates, by part.
    """

    name: str
    namespace: str
    uid: str
    generation: int
    spec: EngineSpec
    image: str
    version: str
    postgres_image: str
    redis_image: str
    database_secret: str
    broker_secret: str
    admin_secret: str
    overlays: PodOverlays = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Reference:
    field: str
    secret: str
    shapes: tuple[frozenset[str], ...]


def references(resource: Manifest) -> set[str]:
    """Return the names of the Secrets the spec refers to; none when the spec is malformed."""
    try:
        spec = _parse(resource)
    except InvalidSpec:
        return set()
    return {reference.secret for reference in _references(spec)}


def validate(
    resource: Manifest,
    secrets: Mapping[str, SecretFacts | None],
    images: ImageSettings,
    overlays: PodOverlays = NO_OVERLAYS,
) -> ValidatedEngine:
    """Return the engine to build.

    Raises:
        InvalidSpec: a field is malformed or contradicts another.
        InvalidReference: a Secret is absent, not opted in, or lacks a key.
    """
    metadata = resource.get("metadata", {})
    spec = _parse(resource)
    engine = replace(_resolve(metadata, spec, images), overlays=overlays)
    _check_images(engine, images)
    for reference in _references(spec):
        _check_secret(reference, secrets.get(reference.secret))
    return engine


def problems(resource: Manifest) -> tuple[InvalidSpec, ...]:
    """Return everything that is wrong with the resource by itself, references aside."""
    found = [*_name_problems(str(resource.get("metadata", {}).get("name", "")))]
    spec = _without_nulls(resource.get("spec", {}))
    try:
        EngineSpec.model_validate_json(_text(spec), strict=True)
    except ValidationError as refused:
        found += [_problem(detail) for detail in refused.errors(include_url=False, include_input=False)]
    if (size := len(json.dumps(spec, indent=2, default=str))) > SPEC_LIMIT:
        found.append(
            InvalidSpec(
                "spec",
                f"is too large: {size} bytes of at most {SPEC_LIMIT}; list fewer tables and columns, "
                "or divide the data sources between two InsightEngines",
            )
        )
    return tuple(found)


def _parse(resource: Manifest) -> EngineSpec:
    for problem in problems(resource):
        raise problem
    return EngineSpec.model_validate_json(_text(_without_nulls(resource.get("spec", {}))), strict=True)


def _text(spec: Any) -> str:
    """Return the spec as JSON; a date that YAML saw in unquoted text is a text again, as with kubectl."""
    return json.dumps(spec, default=str)


def _without_nulls(value: Any) -> Any:
    """Return the value as the API server would store it: a null means absent."""
    if isinstance(value, dict):
        return {str(key): _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _name_problems(name: str) -> Iterator[InvalidSpec]:
    if not re.fullmatch(DNS_LABEL, name):
        yield InvalidSpec("metadata.name", "must start with a letter and hold only a-z, 0-9 and '-'")
    if len(name) > NAME_LIMIT:
        yield InvalidSpec("metadata.name", f"must have at most {NAME_LIMIT} characters")


def _problem(detail: Any) -> InvalidSpec:
    path = "spec"
    for part in detail["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    context = detail.get("ctx", {})
    if detail["type"] == RULE_ERROR:
        return InvalidSpec(f"{path}.{context['field']}" if context["field"] else path, context["message"])
    return InvalidSpec(path, _MESSAGES.get(detail["type"], detail["msg"]))


_MESSAGES = {
    "extra_forbidden": "there is no such field: check its spelling and indentation",
    "missing": "is required",
}


def _resolve(metadata: Mapping[str, Any], spec: EngineSpec, images: ImageSettings) -> ValidatedEngine:
    name = metadata["name"]
    external_database, external_broker = spec.database.external, spec.broker.external
    admin = spec.auth.bootstrap_admin
    image = engine_image(spec.image, images)
    managed_database, managed_broker = spec.database.managed, spec.broker.managed
    return ValidatedEngine(
        name=name,
        namespace=metadata.get("namespace", "default"),
        uid=metadata.get("uid", _OFFLINE_UID),
        generation=metadata.get("generation", 1),
        spec=spec,
        image=image,
        version=version(image),
        postgres_image=(managed_database and managed_database.image) or images.postgres,
        redis_image=(managed_broker and managed_broker.image) or images.redis,
        database_secret=external_database.secret_ref.name
        if external_database
        else naming.child_of(name, "database"),
        broker_secret=external_broker.secret_ref.name if external_broker else naming.child_of(name, "broker"),
        admin_secret=admin.secret_ref.name if admin else naming.child_of(name, "admin"),
    )


def _check_images(engine: ValidatedEngine, images: ImageSettings) -> None:
    chosen = (
        ("spec.image.repository", engine.image),
        ("spec.database.managed.image", engine.postgres_image),
        ("spec.broker.managed.image", engine.redis_image),
    )
    for path, image in chosen:
        if not allowed(image, images):
            raise InvalidSpec(
                path,
                f"the repository {repository(image)} is not on the operator's allowlist "
                f"({', '.join(sorted(images.allowlist)) or 'empty'}): use one of these, or have "
                "the operator's administrator add it",
            )


def _references(spec: EngineSpec) -> Iterator[_Reference]:
    if spec.database.external:
        yield _Reference(
            "spec.database.external.secretRef.name", spec.database.external.secret_ref.name, _DATABASE_ADDRESS
        )
    if spec.broker.external:
        yield _Reference(
            "spec.broker.external.secretRef.name", spec.broker.external.secret_ref.name, _ADDRESS
        )
    for index, source in enumerate(spec.data_sources):
        yield _Reference(
            f"spec.dataSources[{index}].secretRef.name", source.secret_ref.name, _DATABASE_ADDRESS
        )
    if spec.results.s3:
        yield _Reference("spec.results.s3.secretRef.name", spec.results.s3.secret_ref.name, _OBJECT_STORE)
    if spec.auth.bootstrap_admin:
        yield _Reference(
            "spec.auth.bootstrapAdmin.secretRef.name", spec.auth.bootstrap_admin.secret_ref.name, _LOGIN
        )
    for index, pull in enumerate(spec.image.pull_secrets):
        yield _Reference(f"spec.image.pullSecrets[{index}].name", pull.name, _PULL)


def _check_secret(reference: _Reference, facts: SecretFacts | None) -> None:
    secret = reference.secret
    if facts is None:
        raise InvalidReference(
            reference.field, f"there is no Secret {secret} in this namespace: create it or name another"
        )
    if naming.ENGINE_LABEL in facts.labels:
        raise InvalidReference(
            reference.field,
            f"the Secret {secret} holds credentials that the operator made for an InsightEngine and is never "
            "lent: make a Secret with a login of its own",
        )
    if facts.labels.get(naming.USE_LABEL) != "true":
        raise InvalidReference(
            reference.field,
            f"the Secret {secret} may not be used here: "
            f"kubectl label secret {secret} {naming.USE_LABEL}=true allows it",
        )
    if any(shape <= facts.keys for shape in reference.shapes):
        return
    fullest = reference.shapes[-1]
    missing = ", ".join(sorted(fullest - facts.keys))
    wanted = " or ".join(" ".join(sorted(shape)) for shape in reference.shapes)
    raise InvalidReference(reference.field, f"the Secret {secret} lacks {missing}: it must hold {wanted}")
