"""Data sources, and what a caller may see of one. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Catalog = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Schema → table → column names, as the source itself spells them."""


class Dialect(StrEnum):
    """SQL dialects that have an allowlist; any other is refused."""

    POSTGRES = "postgres"
    MYSQL = "mysql"
    SQLITE = "sqlite"
    DUCKDB = "duckdb"


class Role(StrEnum):
    """What a user is; each role may do all that the ones before it may."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class RoleRule:
    """What one role may do with one source, where that is less than all the source offers.

    Attributes:
        role: the role it is for.
        schemas: readable schemas; None means every schema of the source.
        tables: readable `schema.table` names; empty means every table of the schemas.
        columns: (`schema.table`, its readable columns); a table that is not listed is readable whole.
        max_cost: highest cost, in the database's own unit, that its planner may estimate for a query.
    """

    role: Role
    schemas: tuple[str, ...] | None = None
    tables: tuple[str, ...] = ()
    columns: tuple[tuple[str, tuple[str, ...]], ...] = ()
    max_cost: float | None = None


@dataclass(frozen=True, slots=True)
class Grants:
    """What one caller may read of one source.

    Attributes:
        schemas: readable schemas; a table outside them is refused.
        tables: readable `schema.table` names; empty means every table of `schemas`.
        columns: `schema.table` → its readable columns; a table that is not a key is readable whole.
        any_schema: whether every schema but the database's own is readable, for tools that judge
            statements without a source; never set for a user.
    """

    schemas: frozenset[str]
    tables: frozenset[str] = field(default_factory=frozenset)
    columns: Mapping[str, frozenset[str]] = field(default_factory=dict)
    any_schema: bool = False


@dataclass(frozen=True, slots=True)
class DataSource:
    """A database that questions are asked of.

    Attributes:
        name: the name that callers use, unique in an instance.
        dialect: which SQL it speaks.
        schemas: the schemas that may be read, the first being where unqualified tables are looked up.
        roles: the roles that may query it.
        path: file or folder, for the dialects that live in one.
        rules: at most one rule per role; a role without one may read all of `schemas`.
        max_connections: most queries that one worker process runs on it at a time.
    """

    name: str
    dialect: Dialect
    schemas: tuple[str, ...]
    roles: frozenset[Role]
    path: str | None = None
    rules: tuple[RoleRule, ...] = ()
    max_connections: int = 8

    def rule_of(self, role: Role) -> RoleRule:
        """The rule of a role; one that grants everything when none is configured."""
        return next((rule for rule in self.rules if rule.role is role), RoleRule(role))

    def grants_of(self, role: Role) -> Grants:
        """What that role may read; nothing when the source is not open to it."""
        if role not in self.roles:
            return Grants(frozenset())
        rule = self.rule_of(role)
        schemas = self.schemas if rule.schemas is None else rule.schemas
        return Grants(
            schemas=frozenset(schemas),
            tables=frozenset(rule.tables),
            columns={table: frozenset(columns) for table, columns in rule.columns},
        )


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a query runs for; a source may key its row-level rules on it.

    Attributes:
        user: name of the user.
        role: what the user is.
    """

    user: str
    role: Role
