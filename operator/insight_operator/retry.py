"""The one table of what an error does to its key: wait for a person or the world, or back off. Pure."""

from insight_operator.cluster.errors import ClusterError, LeftoverError, Outdated
from insight_operator.errors import Conflict, OperatorError, QuotaExceeded, WriteForbidden
from insight_operator.queue import Outcome, Verdict

# A change of the spec or of a Secret comes sooner by itself; this is for cures that nothing tells us of.
REFUSED_AGAIN_S = 600.0
# An object in the way, a quota or a missing right is cured without anything we watch: look again soon.
OBSTRUCTED_AGAIN_S = 15.0
LEFTOVER_AGAIN_S = 1.0
OUTDATED_AGAIN_S = 0.2


def judge(error: Exception) -> Outcome:
    """Return what an error that ended a piece of work means for the next attempt."""
    if isinstance(error, Conflict | QuotaExceeded | WriteForbidden):
        return Outcome(Verdict.REFUSED, OBSTRUCTED_AGAIN_S)
    if isinstance(error, OperatorError):
        return Outcome(Verdict.REFUSED, REFUSED_AGAIN_S)
    if isinstance(error, LeftoverError):
        return Outcome(Verdict.WAITING, LEFTOVER_AGAIN_S, spaced=True)
    if isinstance(error, Outdated):
        return Outcome(Verdict.WAITING, OUTDATED_AGAIN_S, spaced=True)
    return Outcome(Verdict.FAILED)


def is_defect(error: Exception) -> bool:
    """Tell whether an error is our fault and must be loud, not the world being away for a while."""
    return not isinstance(error, OperatorError) and not (isinstance(error, ClusterError) and error.passing)
