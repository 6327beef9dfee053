"""Users, queries, outbox, result chunks."""

from typing import Any

import sqlalchemy as sa
from alembic import context, op

from insight_engine.adapters.store.tables import RESULTS_SCHEMA, SCHEMA, VERSION_TABLE, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create everything."""
    postgres = op.get_bind().dialect.name == "postgresql"
    schema = SCHEMA if postgres else None
    _users(schema)
    _queries(schema)
    _outbox(schema)
    app_role: str | None = context.config.attributes.get("app_role")
    owner_role: str | None = context.config.attributes.get("owner_role")
    if app_role:
        for table in ("users", "queries", "outbox"):
            op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {SCHEMA}.{table} TO {app_role}")
        op.execute(f"GRANT SELECT ON {SCHEMA}.{VERSION_TABLE} TO {app_role}")
        # Partitions come and go daily, so the application itself owns this one table.
        op.execute(f"SET ROLE {app_role}")
    _result_chunks(postgres=postgres)
    if owner_role:
        op.execute(f"SET ROLE {owner_role}")


def downgrade() -> None:
    """Refuse: going back is done by running the older release on the newer schema."""
    raise NotImplementedError("There is nothing before the first revision")


def _users(schema: str | None) -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("username", sa.String(128), nullable=False),
        sa.Column("password_hash", sa.String(256), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("tokens_valid_from", UtcDateTime, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("username", name="uq_users_username"),
        schema=schema,
    )


def _queries(schema: str | None) -> None:
    columns: tuple[sa.Column[Any], ...] = (
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("datasource", sa.String(63), nullable=False),
        sa.Column("sql", sa.Text, nullable=False),
        sa.Column("row_limit", sa.BigInteger, nullable=False),
        sa.Column("byte_limit", sa.BigInteger, nullable=False),
        sa.Column("timeout_s", sa.Float, nullable=False),
        sa.Column("policy_digest", sa.String(128), nullable=False),
        sa.Column("correlation_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("worker", sa.String(128)),
        sa.Column("lease_expires_at", UtcDateTime),
        sa.Column("submitted_at", UtcDateTime, nullable=False),
        sa.Column("queued_at", UtcDateTime, nullable=False),
        sa.Column("started_at", UtcDateTime),
        sa.Column("finished_at", UtcDateTime),
        sa.Column("expires_at", UtcDateTime),
        sa.Column("row_count", sa.BigInteger),
        sa.Column("byte_count", sa.BigInteger),
        sa.Column("chunk_count", sa.Integer),
        sa.Column("result_bucket", sa.Date),
        sa.Column("truncated", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("error_code", sa.String(64)),
        sa.Column("error_message", sa.Text),
    )
    users_id = f"{schema}.users.id" if schema else "users.id"
    op.create_table(
        "queries",
        *columns,
        sa.PrimaryKeyConstraint("id", name="pk_queries"),
        sa.ForeignKeyConstraint(["user_id"], [users_id], name="fk_queries_user_id"),
        schema=schema,
    )
    op.create_index("ix_queries_user_id_submitted_at", "queries", ["user_id", "submitted_at"], schema=schema)
    for name, column, state in (
        ("ix_queries_waiting", "queued_at", "queued"),
        ("ix_queries_leased", "lease_expires_at", "running"),
    ):
        where = sa.text(f"state = '{state}'")
        op.create_index(name, "queries", [column], schema=schema, postgresql_where=where, sqlite_where=where)


def _outbox(schema: str | None) -> None:
    op.create_table(
        "outbox",
        sa.Column("query_id", sa.Uuid, nullable=False),
        sa.Column("correlation_id", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("query_id", name="pk_outbox"),
        schema=schema,
    )
    op.create_index("ix_outbox_created_at", "outbox", ["created_at"], schema=schema)


def _result_chunks(*, postgres: bool) -> None:
    op.create_table(
        "result_chunks",
        sa.Column("bucket", sa.Date, nullable=False),
        sa.Column("query_id", sa.Uuid, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("bucket", "query_id", "attempt", "seq", name="pk_result_chunks"),
        schema=RESULTS_SCHEMA if postgres else None,
        postgresql_partition_by="RANGE (bucket)",
    )
    if postgres:
        # Arrow chunks are compressed already.
        op.execute(f"ALTER TABLE {RESULTS_SCHEMA}.result_chunks ALTER COLUMN data SET STORAGE EXTERNAL")
