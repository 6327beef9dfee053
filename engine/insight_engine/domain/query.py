"""Query states and limits. Pure."""

from dataclasses import dataclass
from enum import StrEnum

Scalar = str | int | float | bool | None
"""A parameter's value as the API takes it."""


class QueryState(StrEnum):
    """Where a query is in its life; every move is a compare-and-set in the store."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    REJECTED = "rejected"
    EXPIRED = "expired"

    @property
    def is_final(self) -> bool:
        """Whether the query has ended: nothing moves it but expiry of its result."""
        return self not in {QueryState.QUEUED, QueryState.RUNNING}


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """Caps on one query; a result that meets one is cut and says so.

    Attributes:
        rows: most rows returned.
        bytes: most bytes of Arrow data kept.
        timeout_s: seconds the database may work.
    """

    rows: int = 100_000
    bytes: int = 256 * 1024 * 1024
    timeout_s: float = 300.0
