"""Image references: put together, taken apart, and which repositories a resource may name. Pure."""

from dataclasses import dataclass

from insight_operator.crd.models import Image


@dataclass(frozen=True, slots=True)
class ImageSettings:
    """The images of the operator's settings.

    Attributes:
        engine: full reference of the engine image a CR gets unless it names one.
        postgres: full reference of the managed PostgreSQL's image.
        redis: full reference of the managed Redis's image.
        allowlist: repositories that a CR may name besides those of these three.
    """

    engine: str
    postgres: str
    redis: str
    allowlist: frozenset[str]


def split(reference: str) -> tuple[str, str, str]:
    """Return repository, tag and digest of a reference; what it lacks is empty."""
    named, _, digest = reference.partition("@")
    head, separator, last = named.rpartition("/")
    base, _, tag = last.partition(":")
    return f"{head}{separator}{base}", tag, digest


def repository(reference: str) -> str:
    """Return the repository of a reference, its registry included."""
    return split(reference)[0]


def version(reference: str) -> str:
    """Return what a label may say of the image's version: its tag, or the start of its digest."""
    _, tag, digest = split(reference)
    return (tag or digest.removeprefix("sha256:")[:12] or "latest")[:63].rstrip("-._")


def engine_image(image: Image, images: ImageSettings) -> str:
    """Return the full reference of the engine image: what the spec leaves out comes from the settings."""
    base, tag, digest = split(images.engine)
    if image.repository or image.tag or image.digest:
        base = image.repository or base
        tag = image.tag or ""
        digest = image.digest or ""
    return base + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def allowed(reference: str, images: ImageSettings) -> bool:
    """Tell whether a resource may name this image's repository."""
    own = {repository(images.engine), repository(images.postgres), repository(images.redis)}
    return repository(reference) in own | images.allowlist
