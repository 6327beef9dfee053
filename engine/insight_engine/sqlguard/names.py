"""How the names of a statement are compared with those of the grants and the catalog. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sqlglot import exp

from insight_engine.domain.sources import Catalog, DataSource, Grants
from insight_engine.sqlguard.catalogs import Index, index_of
from insight_engine.sqlguard.policy import Policy
from insight_engine.sqlguard.text import Positions, fold


@dataclass
class Names:
    """What the names of one statement are held against, and the tables found in it."""

    policy: Policy
    source: DataSource
    grants: Grants
    index: Index | None
    where: Positions
    tables: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def of(
        cls, policy: Policy, source: DataSource, grants: Grants, catalog: Catalog | None, where: Positions
    ) -> "Names":
        """What one verdict needs."""
        index = index_of(
            catalog,
            source,
            quotes_keep_case=policy.case_sensitive_quotes,
            exact=policy.case_sensitive_tables,
        )
        return cls(policy, source, grants, index, where)

    @cached_property
    def granted_schemas(self) -> frozenset[str]:
        """The schemas of the grants."""
        return frozenset(self.known_table(schema) for schema in self.grants.schemas)

    @cached_property
    def granted_tables(self) -> frozenset[str]:
        """The `schema.table` names of the grants; empty when all are granted."""
        if self.policy.case_sensitive_quotes or self.policy.case_sensitive_tables:
            return self.grants.tables
        return frozenset(fold(table) for table in self.grants.tables)

    @cached_property
    def granted_columns(self) -> Mapping[str, frozenset[str]]:
        """`schema.table` → its readable columns, for the tables that may not be read whole."""
        return {
            self.known_table(table): frozenset(self.known(column) for column in columns)
            for table, columns in self.grants.columns.items()
        }

    def readable(self, table: tuple[str, str]) -> frozenset[str] | None:
        """The granted columns of a table; None when it may be read whole."""
        name = ".".join(table)
        granted = self.granted_columns.get(name)
        if granted is None and self.index is None and self.policy.case_sensitive_tables:
            # Whether the server tells names apart by case is not known here, so both are taken for one.
            same = [columns for key, columns in self.granted_columns.items() if fold(key) == fold(name)]
            return frozenset.intersection(*same) if same else None
        return granted

    def spelled(self, name: exp.Expr) -> str:
        """A name as the database compares it."""
        quoted = bool(name.args.get("quoted")) and self.policy.case_sensitive_quotes
        return name.name if quoted else fold(name.name)

    def spelled_table(self, name: exp.Expr) -> str:
        """The name of a schema, a table or a WITH query as the database compares it."""
        return name.name if self.policy.case_sensitive_tables else self.spelled(name)

    def known(self, name: str) -> str:
        """A column of the grants or the catalog as the database compares it."""
        return name if self.policy.case_sensitive_quotes else fold(name)

    def known_table(self, name: str) -> str:
        """A schema or table of the grants or the catalog as the database compares it."""
        return name if self.policy.case_sensitive_tables else self.known(name)

    @property
    def default_schema(self) -> str:
        """Where tables without a schema are looked up."""
        schemas = self.source.schemas
        return self.known_table(schemas[0] if schemas else self.policy.default_schema)

    def full_name(self, node: exp.Table) -> tuple[str, str]:
        """Schema and name of a real table: as the catalog spells them if it knows it (MySQL)."""
        database = node.args.get("db")
        schema = self.default_schema if database is None else self.spelled_table(database)
        table = self.spelled_table(node.this)
        if self.policy.case_sensitive_tables and self.index is not None:
            return self.index.find(schema, table) or (schema, table)
        return schema, table

    def columns_of(self, table: tuple[str, str]) -> tuple[str, ...] | None:
        """The columns the catalog knows, or None when it does not know the table."""
        key = None if self.index is None else self.index.find(*table)
        return None if key is None or self.index is None else self.index.columns(key)
