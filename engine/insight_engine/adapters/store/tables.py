"""The schema, written once. Migrations must lead to exactly this on both databases; a test compares them.

On SQLite schemas do not exist: `Database` translates their names away.
"""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    Uuid,
    text,
)

SCHEMA: Final = "insight"
RESULTS_SCHEMA: Final = "insight_results"
VERSION_TABLE: Final = "alembic_version"
REVISION: Final = "0001"
"""The newest migration; a test compares it with the migrations there are."""


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite keeps it without a zone, so the zone is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store in UTC."""
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Read as UTC; only SQLite gives it back without a zone."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    },
)

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("username", String(128), nullable=False, unique=True),
    Column("password_hash", String(256), nullable=False),
    Column("role", String(16), nullable=False),
    Column("disabled", Boolean, nullable=False, server_default=text("false")),
    Column("tokens_valid_from", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

queries = Table(
    "queries",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("user_id", Uuid, ForeignKey(users.c.id), nullable=False),
    Column("datasource", String(63), nullable=False),
    Column("sql", Text, nullable=False),
    Column("row_limit", BigInteger, nullable=False),
    Column("byte_limit", BigInteger, nullable=False),
    Column("timeout_s", Float, nullable=False),
    Column("policy_digest", String(128), nullable=False),
    Column("correlation_id", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("worker", String(128)),
    Column("lease_expires_at", UtcDateTime),
    Column("submitted_at", UtcDateTime, nullable=False),
    Column("queued_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("finished_at", UtcDateTime),
    Column("expires_at", UtcDateTime),
    Column("row_count", BigInteger),
    Column("byte_count", BigInteger),
    Column("chunk_count", Integer),
    Column("result_bucket", Date),
    Column("truncated", Boolean, nullable=False, server_default=text("false")),
    Column("error_code", String(64)),
    Column("error_message", Text),
)
Index("ix_queries_user_id_submitted_at", queries.c.user_id, queries.c.submitted_at)
Index(
    "ix_queries_waiting",
    queries.c.queued_at,
    postgresql_where=queries.c.state == text("'queued'"),
    sqlite_where=queries.c.state == text("'queued'"),
)
Index(
    "ix_queries_leased",
    queries.c.lease_expires_at,
    postgresql_where=queries.c.state == text("'running'"),
    sqlite_where=queries.c.state == text("'running'"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("query_id", Uuid, primary_key=True),
    Column("correlation_id", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
Index("ix_outbox_created_at", outbox.c.created_at)

result_chunks = Table(
    "result_chunks",
    metadata,
    Column("bucket", Date, primary_key=True),
    Column("query_id", Uuid, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("rows", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    schema=RESULTS_SCHEMA,
    postgresql_partition_by="RANGE (bucket)",
)
