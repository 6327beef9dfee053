"""Engines to build from, and ways to look into what was built."""

from collections.abc import Iterator
from typing import Any

from insight_operator import naming
from insight_operator.desired import credentials
from insight_operator.desired.plan import plan
from insight_operator.images import ImageSettings
from insight_operator.snapshot import Manifest, SecretFacts
from insight_operator.validate import EVERY_KEY, ValidatedEngine, references, validate
from support.bad_engines import engine

IMAGES = ImageSettings(
    engine="ghcr.io/insight-engine/insight-engine:0.1.0",
    postgres="docker.io/library/postgres:18",
    redis="docker.io/library/redis:7",
    allowlist=frozenset({"ghcr.io/insight-engine/insight-engine"}),
)
USABLE = SecretFacts({naming.USE_LABEL: "true"}, EVERY_KEY)
UID = "7a0e6f1e-0000-4000-8000-000000000001"


def resource(spec: Manifest | None = None, **metadata: Any) -> Manifest:
    """Return an InsightEngine as the API server would return it."""
    made = engine(spec)
    made["metadata"] |= {"namespace": "insight", "uid": UID, "generation": 1} | metadata
    return made


def validated(spec: Manifest | None = None, **metadata: Any) -> ValidatedEngine:
    """Return a valid engine; every Secret it refers to is as it should be."""
    made = resource(spec, **metadata)
    return validate(made, dict.fromkeys(references(made), USABLE), IMAGES)


def everything(built: ValidatedEngine) -> tuple[Manifest, ...]:
    """Return every child, Secrets included, with predictable secret values."""
    state = credentials.issue(built, None, counting_token())
    return (*credentials.secrets(built, state), *plan(built))


def counting_token() -> Any:
    """Return a token maker whose values are all different and the same in every run."""
    count = 0

    def token(size: int) -> bytes:
        nonlocal count
        count += 1
        return f"canary{count:03d}".encode().ljust(size, b"~")[:size]

    return token


def named(built: ValidatedEngine, kind: str, part: str) -> Manifest:
    """Return one planned child."""
    name = naming.child(built, part)
    return next(item for item in plan(built) if item["kind"] == kind and item["metadata"]["name"] == name)


def pod_templates(built: ValidatedEngine) -> Iterator[tuple[str, Manifest]]:
    """Yield the pod templates of the plan by the name of what holds them."""
    for manifest in plan(built):
        if "template" in manifest.get("spec", {}):
            yield manifest["metadata"]["name"], manifest["spec"]["template"]


def containers(template: Manifest) -> list[Manifest]:
    """Return every container of a pod template, init containers included."""
    spec = template["spec"]
    return [*spec.get("initContainers", ()), *spec["containers"]]
