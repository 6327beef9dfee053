"""What a database says about a query or about itself without running one. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """A database's plan for a statement.

    Attributes:
        text: the plan as the database prints it.
        cost: its estimate in its own unit; None where the database gives none (SQLite, DuckDB).
        rows: rows it expects to return, where it says.
    """

    text: str
    cost: float | None
    rows: float | None


@dataclass(frozen=True, slots=True)
class SourceCheck:
    """The outcome of trying a source's login.

    Attributes:
        version: the server's or library's version.
        milliseconds: time to connect and ask something small.
        warnings: sentences on rights that the login has and should not have.
    """

    version: str
    milliseconds: float
    warnings: tuple[str, ...]
