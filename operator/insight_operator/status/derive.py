"""From what one pass observed to the whole `.status`. Pure: the time is an argument."""

from datetime import datetime

from insight_operator.errors import OperatorError
from insight_operator.snapshot import Manifest, Observed
from insight_operator.validate import ValidatedEngine


def derive(
    engine: ValidatedEngine | None,
    error: OperatorError | None,
    observed: Observed,
    previous: Manifest,
    now: datetime,
) -> Manifest:
    """Return the whole `.status`.

    Args:
        engine: what is to be built; None when the resource was refused.
        error: why the pass ended early, if it did.
        observed: the resource, its children and pods after the pass's writes.
        previous: the `.status` as last written, for what must outlive a pass.
        now: the time of this pass; lastTransitionTime of a condition that flips.
    """
    raise NotImplementedError(engine, error, observed, previous, now)
