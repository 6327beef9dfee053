"""The ordered list of every child but Secrets. Pure; the order is the order of applying."""

from insight_operator.snapshot import Manifest
from insight_operator.validate import ValidatedEngine


def plan(engine: ValidatedEngine) -> tuple[Manifest, ...]:
    """Return every child that must exist, in apply order, complete with owner, labels and desired hash."""
    raise NotImplementedError(engine)
