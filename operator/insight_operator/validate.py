"""From a raw InsightEngine and the facts of what it refers to, to data that builders may trust. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from insight_operator.snapshot import Manifest, SecretFacts


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """The images of the operator's settings.

    Attributes:
        engine: full reference of the engine image a CR gets unless it names one.
        postgres: full reference of the managed PostgreSQL's image.
        redis: full reference of the managed Redis's image.
        allowlist: repositories that a CR may name.
    """

    engine: str
    postgres: str
    redis: str
    allowlist: frozenset[str]


@dataclass(frozen=True, slots=True)
class ValidatedEngine:
    """An InsightEngine with every default resolved and every reference checked."""

    name: str
    namespace: str
    uid: str
    generation: int


def references(resource: Manifest) -> set[str]:
    """Return the names of the Secrets the spec refers to; those a malformed spec hides are left out."""
    raise NotImplementedError(resource)


def validate(
    resource: Manifest, secrets: Mapping[str, SecretFacts | None], images: ImageSettings
) -> ValidatedEngine:
    """Return the engine to build.

    Raises:
        InvalidSpec: a field is malformed or contradicts another.
        InvalidReference: a Secret is absent, not opted in, or lacks a key.
    """
    raise NotImplementedError(resource, secrets, images)
