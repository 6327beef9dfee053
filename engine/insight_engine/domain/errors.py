"""Everything the engine refuses or fails with, as a stable code and one sentence. Pure: knows no HTTP status.

`api/problems.py` maps the classes to statuses, `cli/exits.py` to exit codes.
"""

# ruff: noqa: N818 - the names say what happened; "Error" on each would add nothing

from dataclasses import dataclass


class EngineError(Exception):
    """Base of all expected failures.

    Attributes:
        code: stable machine-readable name; clients may switch on it.
        message: one sentence naming the thing, the reason and the cure; safe to show.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One bad field of a request: its path and what to do about it."""

    field: str
    message: str


class InvalidRequest(EngineError):
    """The request cannot be understood or breaks a limit of its fields."""

    def __init__(self, code: str, message: str, problems: tuple[FieldProblem, ...] = ()) -> None:
        super().__init__(code, message)
        self.problems = problems


class TooLarge(EngineError):
    """The request is larger than the engine reads."""


class Unauthenticated(EngineError):
    """No valid identity was presented."""


def refused_token() -> Unauthenticated:
    """The one answer to every bad token: it never says what was wrong."""
    return Unauthenticated("token_invalid", "The access token is missing, wrong or expired. Log in again.")


class Forbidden(EngineError):
    """The identity is known but may not do this."""


class NotFound(EngineError):
    """There is no such thing, or it is not the caller's to see."""


class NotReady(EngineError):
    """The thing exists but has not come that far yet."""


class Conflict(EngineError):
    """The request contradicts an earlier one of the same name."""


class Gone(EngineError):
    """The thing existed and no longer does."""


class Busy(EngineError):
    """Too much of this is going on already; the same request later may succeed."""


class Unavailable(EngineError):
    """A dependency that is needed is not reachable; nothing was done."""


class ConfigurationError(EngineError):
    """The process cannot run as configured; a person must act."""
