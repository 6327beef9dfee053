"""What a database that cannot serve now looks like, and the one sentence a caller sees of it."""

from typing import Final

from insight_engine.domain.errors import Unavailable

AWAY_STATES: Final = ("25006", "53", "57P")
"""SQLSTATEs of a server that cannot serve now: read-only (a demoted primary), out of resources, stopping."""


def unavailable(error: BaseException) -> Unavailable:
    """The error for callers; the cause goes to the log only."""
    del error
    return Unavailable(
        "database_unavailable", "The metadata database does not answer. Try again in a few seconds."
    )
