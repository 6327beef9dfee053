"""Data sources, and what a caller may see of one. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Catalog = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Schema → table → column names, as the source itself spells them."""


class Dialect(StrEnum):
    """SQL dialects that have an allowlist; any other is refused."""

    POSTGRES = "postgres"
    SQLITE = "sqlite"
    DUCKDB = "duckdb"


class Role(StrEnum):
    """What a user is; each role may do all that the ones before it may."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class DataSource:
    """A database that questions are asked of.

    Attributes:
        name: the name that callers use, unique in an instance.
        dialect: which SQL it speaks.
        schemas: the schemas that may be read, the first being where unqualified tables are looked up.
        roles: the roles that may query it.
        path: file or folder, for the dialects that live in one.
    """

    name: str
    dialect: Dialect
    schemas: tuple[str, ...]
    roles: frozenset[Role]
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Grants:
    """What one caller may read of one source.

    Attributes:
        schemas: readable schemas; a table outside them is refused.
        tables: readable `schema.table` names; empty means every table of `schemas`.
        any_schema: whether every schema but the database's own is readable, for tools that judge
            statements without a source; never set for a user.
    """

    schemas: frozenset[str]
    tables: frozenset[str] = field(default_factory=frozenset)
    any_schema: bool = False


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a query runs for; a source may key its row-level rules on it.

    Attributes:
        user: name of the user.
        role: what the user is.
    """

    user: str
    role: Role
