"""What became of the migrate Job, and whether it is done. Pure. A Job that its TTL removed stays done."""

from dataclasses import dataclass
from typing import Literal

from insight_operator.snapshot import Manifest, Observed
from insight_operator.validate import ValidatedEngine


@dataclass(frozen=True, slots=True)
class Migration:
    """The outcome of the migrate Job that the present spec asks for.

    Attributes:
        job: the Job's name.
        outcome: `pending` until it succeeded or finally failed.
        revision: the schema revision it reported.
        message: why it failed, one scrubbed sentence.
    """

    job: str
    outcome: Literal["pending", "succeeded", "failed"]
    revision: str = ""
    message: str = ""


def migration(engine: ValidatedEngine, observed: Observed, previous: Manifest) -> Migration:
    """Return the outcome: Deployments wait for `succeeded`; a Job remembered as such need not exist."""
    raise NotImplementedError(engine, observed, previous)
