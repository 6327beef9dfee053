"""What a data source contains: its tables and columns, to browse and to judge by. Pure."""

from dataclasses import dataclass

from insight_engine.domain.sources import Catalog


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        type: the database's own name of its type.
    """

    name: str
    type: str
    nullable: bool = True
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """One table, view or file that can be read.

    Attributes:
        kind: `table`, `view`, `materialized view`, `foreign table` or `file`.
        rows: the database's own estimate, when it has one.
    """

    schema: str
    name: str
    kind: str
    columns: tuple[Column, ...]
    comment: str | None = None
    rows: int | None = None

    @property
    def full_name(self) -> str:
        """`schema.table`, as grants spell it."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class SourceSchema:
    """Everything that may be read of one source, sorted by schema and name."""

    tables: tuple[Table, ...]

    def names(self) -> Catalog:
        """Schema → table → column names: what the SQL guard checks references against."""
        found: dict[str, dict[str, tuple[str, ...]]] = {}
        for table in self.tables:
            found.setdefault(table.schema, {})[table.name] = tuple(c.name for c in table.columns)
        return found
