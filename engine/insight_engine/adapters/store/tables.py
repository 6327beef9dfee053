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
REVISION: Final = "0002"
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
    Column("parameters", Text),
    Column("idempotency_key", String(128)),
    Column("request_digest", String(64)),
    Column("fingerprint", String(64)),
    Column("leader_id", Uuid),
    Column("followed", Boolean, nullable=False, server_default=text("false")),
    Column("cached", Boolean, nullable=False, server_default=text("false")),
    Column("cancel_requested_at", UtcDateTime),
    Column("losses", Integer, nullable=False, server_default=text("0")),
    Column("result_id", Uuid),
    Column("result_attempt", Integer),
    Column("result_store", String(16)),
    Column("progress_rows", BigInteger),
    Column("progress_bytes", BigInteger),
    Column("queue_ms", Integer),
    Column("database_ms", Integer),
    Column("first_batch_ms", Integer),
    Column("cancel_ms", Integer),
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

Index(
    "uq_queries_user_id_idempotency_key",
    queries.c.user_id,
    queries.c.idempotency_key,
    unique=True,
    postgresql_where=queries.c.idempotency_key.is_not(None),
    sqlite_where=queries.c.idempotency_key.is_not(None),
)
Index(
    "ix_queries_fingerprint",
    queries.c.fingerprint,
    queries.c.submitted_at,
    postgresql_where=queries.c.fingerprint.is_not(None),
    sqlite_where=queries.c.fingerprint.is_not(None),
)
Index(
    "ix_queries_leader_id",
    queries.c.leader_id,
    postgresql_where=queries.c.leader_id.is_not(None),
    sqlite_where=queries.c.leader_id.is_not(None),
)
Index("ix_queries_finished_at", queries.c.finished_at)
LEADS: Final = (
    "fingerprint IS NOT NULL AND leader_id IS NULL AND cancel_requested_at IS NULL"
    " AND state IN ('queued', 'running')"
)
"""What may be followed; at most one query of a fingerprint at a time does work."""
Index(
    "uq_queries_fingerprint_in_flight",
    queries.c.fingerprint,
    unique=True,
    postgresql_where=text(LEADS),
    sqlite_where=text(LEADS),
)
Index(
    "ix_queries_expires_at",
    queries.c.expires_at,
    postgresql_where=queries.c.state == text("'succeeded'"),
    sqlite_where=queries.c.state == text("'succeeded'"),
)
Index("ix_queries_user_id_id", queries.c.user_id, queries.c.id)

outbox = Table(
    "outbox",
    metadata,
    Column("query_id", Uuid, primary_key=True),
    Column("correlation_id", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
Index("ix_outbox_created_at", outbox.c.created_at)

control_requests = Table(
    "control_requests",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("datasource", String(63), nullable=False),
    Column("payload", Text, nullable=False),
    Column("correlation_id", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("claimed_by", String(128)),
    Column("lease_expires_at", UtcDateTime),
    Column("answered_at", UtcDateTime),
    Column("answer", Text),
    Column("error_code", String(64)),
    Column("error_message", Text),
)
Index("ix_control_requests_created_at", control_requests.c.created_at)

catalogs = Table(
    "catalogs",
    metadata,
    Column("datasource", String(63), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("fetched_at", UtcDateTime, nullable=False),
)

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
