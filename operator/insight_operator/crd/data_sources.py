"""The databases that questions are asked of, and what each role may read of them."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from insight_operator.crd.base import (
    DNS_LABEL,
    SET,
    Model,
    Rule,
    SecretReference,
    Unique,
    list_map,
    unique_by,
)


class Dialect(StrEnum):
    """SQL dialects a data source may speak."""

    POSTGRES = "postgres"
    MYSQL = "mysql"


class Role(StrEnum):
    """What a user is."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    ADMIN = "admin"


SchemaName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_$-]*$", min_length=1, max_length=63)]
TableName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z_][A-Za-z0-9_$-]*\.[A-Za-z_][A-Za-z0-9_$-]*$", min_length=3, max_length=127),
]
ColumnName = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$", min_length=1, max_length=63)]


class ColumnGrant(Model):
    """A table of which only some columns may be read."""

    table: TableName
    """The table, as `schema.table`."""
    columns: Annotated[
        tuple[ColumnName, ...], Unique, Field(min_length=1, max_length=256, json_schema_extra=SET)
    ]
    """Its readable columns."""


class RoleGrant(Model):
    """What one role may read of a data source, where that is less than all of it."""

    role: Role
    """The role it is for."""
    schemas: (
        Annotated[tuple[SchemaName, ...], Unique, Field(min_length=1, max_length=32, json_schema_extra=SET)]
        | None
    ) = None
    """Readable schemas; every schema of the data source when absent."""
    tables: Annotated[tuple[TableName, ...], Unique, Field(max_length=256, json_schema_extra=SET)] = ()
    """Readable tables, as `schema.table`; every table of the schemas when empty."""
    columns: Annotated[
        tuple[ColumnGrant, ...],
        unique_by("table"),
        Field(max_length=64, json_schema_extra=list_map("table")),
    ] = ()
    """Tables of which only some columns may be read; others are readable whole."""
    max_cost: Annotated[int, Field(ge=1, le=10**15)] | None = None
    """Highest cost that the database's planner may estimate for a query, in its own unit."""


class DataSource(Model):
    """A database that questions are asked of."""

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.dialect != 'mysql' || self.schemas != ['public']",
            "name the databases that may be read: MySQL has no schema public",
            lambda source: source.dialect is not Dialect.MYSQL or source.schemas != ("public",),
            "schemas",
        ),
    )

    name: Annotated[str, Field(pattern=DNS_LABEL, min_length=1, max_length=40)]
    """Name that callers use, unique within the InsightEngine."""
    dialect: Dialect
    """SQL dialect it speaks; `mysql` is MySQL and MariaDB."""
    secret_ref: SecretReference
    """Secret with a read-only login: `uri`, or `host`, `port`, `dbname`, `username`, `password`; for TLS
    also `sslmode` and `sslrootcert`."""
    schemas: Annotated[
        tuple[SchemaName, ...], Unique, Field(min_length=1, max_length=32, json_schema_extra=SET)
    ] = ("public",)
    """Schemas that may be read; unqualified tables are looked up in the first."""
    roles: Annotated[tuple[Role, ...], Unique, Field(min_length=1, max_length=3, json_schema_extra=SET)] = (
        Role.ANALYST,
        Role.ADMIN,
    )
    """Roles that may query it."""
    grants: Annotated[
        tuple[RoleGrant, ...], unique_by("role"), Field(max_length=3, json_schema_extra=list_map("role"))
    ] = ()
    """What a role may read where that is less than all schemas; roles that are not listed read all."""
    max_connections: Annotated[int, Field(ge=1, le=64)] = 8
    """Most queries that one worker process runs on it at a time."""
