"""Where results are kept and for how long."""

from typing import Annotated, ClassVar

from pydantic import Field

from insight_operator.crd.base import Duration, Model, Rule, SecretReference, seconds

_SHORTEST_TTL_S, _LONGEST_TTL_S = 60, 168 * 3600


class ObjectStore(Model):
    """An S3-compatible store."""

    secret_ref: SecretReference
    """Secret with `endpoint`, `bucket`, `region`, `access_key_id`, `secret_access_key`, and optionally
    `prefix`."""


class Results(Model):
    """Where results are kept and for how long."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "duration(self.ttl) >= duration('60s') && duration(self.ttl) <= duration('168h')",
            "must be between 60s and 168h",
            lambda results: _SHORTEST_TTL_S <= seconds(results.ttl) <= _LONGEST_TTL_S,
            "ttl",
        ),
    )

    ttl: Duration = "24h"
    """How long a result can be read after its query ended: a number with `s`, `m` or `h`, up to 168h."""
    history_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """Days that ended queries stay listed."""
    s3: ObjectStore | None = None
    """Keep results there; in the engine's PostgreSQL when absent."""
