"""What is known of a statement's queries: what each selects from, what its references could mean. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from sqlglot import exp

_MOST_COLUMNS = 10_000


@dataclass(frozen=True, slots=True)
class Rows:
    """What a query or another row source offers.

    Attributes:
        columns: names of its columns, in order as far as that is known.
        is_open: whether it may have columns of other names too.
    """

    columns: tuple[str, ...] = ()
    is_open: bool = True

    @classmethod
    def of(cls, columns: list[str], *, is_open: bool) -> "Rows":
        """Columns without repetition: `SELECT *, *` in many levels would double them at each."""
        found = tuple(dict.fromkeys(columns))
        if len(found) > _MOST_COLUMNS:
            return cls()
        return cls(found, is_open or len(found) < len(columns))


@dataclass(frozen=True, slots=True)
class RowSource:
    """One entry of a FROM clause.

    Attributes:
        name: its alias, or its table's name; None when it has none.
        rows: its columns.
        readable: for a real table with column grants, the columns that may be read; else None.
        table: schema and name of a real table.
        is_renamed: whether an alias gives its columns other names, or joined tables a common one.
        is_function: whether it is what a function returns: the whole row of it may be a single value.
    """

    name: str | None
    rows: Rows
    readable: frozenset[str] | None = None
    table: tuple[str, str] | None = None
    is_renamed: bool = False
    place: int = 0
    is_function: bool = False


@dataclass
class Scope:
    """One query: what it selects from, and what it calls its results; complete once all of it is read."""

    parent: "Scope | None"
    sources: list[RowSource] = field(default_factory=list)
    results: set[str] = field(default_factory=set)
    joins: list[exp.Join] = field(default_factory=list)

    @cached_property
    def by_name(self) -> dict[str, list[RowSource]]:
        """Its row sources by the name they go by."""
        found: dict[str, list[RowSource]] = {}
        for source in self.sources:
            found.setdefault(source.name or "", []).append(source)
        return found

    @cached_property
    def columns(self) -> frozenset[str]:
        """All that its row sources are known to offer."""
        return frozenset(column for source in self.sources for column in source.rows.columns)

    @cached_property
    def is_open(self) -> bool:
        """Whether some row source may offer more."""
        return any(source.rows.is_open for source in self.sources)

    @cached_property
    def limited(self) -> tuple[RowSource, ...]:
        """Its real tables that may be read in part only."""
        return tuple(source for source in self.sources if source.readable is not None)

    def chain(self) -> Iterator["Scope"]:
        """This scope and those around it, innermost first."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent


@dataclass(slots=True)
class Scopes:
    """Everything the judges of tables and columns look at."""

    tables: list[exp.Table] = field(default_factory=list)
    references: list[tuple[exp.Expr, Scope]] = field(default_factory=list)
    every: list[Scope] = field(default_factory=list)
