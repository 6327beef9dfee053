"""The whole life of a query: idempotency, sharing, cancelling, progress; control requests and catalogs.

Only adds, so that the release before goes on working on it while pods are replaced.
"""

from typing import Any

import sqlalchemy as sa
from alembic import context, op

from insight_engine.adapters.store.tables import SCHEMA, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and tables."""
    schema = SCHEMA if op.get_bind().dialect.name == "postgresql" else None
    for column in _columns():
        op.add_column("queries", column, schema=schema)
    _indexes(schema)
    _control_requests(schema)
    _catalogs(schema)
    app_role: str | None = context.config.attributes.get("app_role")
    if app_role:
        for table in ("control_requests", "catalogs"):
            op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {SCHEMA}.{table} TO {app_role}")


def downgrade() -> None:
    """Refuse: the release before works on this schema."""
    raise NotImplementedError("Run the release before on this schema: nothing was taken away from it")


def _columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("parameters", sa.Text),
        sa.Column("idempotency_key", sa.String(128)),
        sa.Column("request_digest", sa.String(64)),
        sa.Column("fingerprint", sa.String(64)),
        sa.Column("leader_id", sa.Uuid),
        sa.Column("followed", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("cached", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("cancel_requested_at", UtcDateTime),
        sa.Column("losses", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("result_id", sa.Uuid),
        sa.Column("result_attempt", sa.Integer),
        sa.Column("result_store", sa.String(16)),
        sa.Column("progress_rows", sa.BigInteger),
        sa.Column("progress_bytes", sa.BigInteger),
        sa.Column("queue_ms", sa.Integer),
        sa.Column("database_ms", sa.Integer),
        sa.Column("first_batch_ms", sa.Integer),
        sa.Column("cancel_ms", sa.Integer),
    )


def _indexes(schema: str | None) -> None:
    leads = (
        "fingerprint IS NOT NULL AND leader_id IS NULL AND cancel_requested_at IS NULL"
        " AND state IN ('queued', 'running')"
    )
    keyed = "idempotency_key IS NOT NULL"
    for name, columns, only, unique in (
        ("uq_queries_user_id_idempotency_key", ["user_id", "idempotency_key"], keyed, True),
        ("uq_queries_fingerprint_in_flight", ["fingerprint"], leads, True),
        ("ix_queries_fingerprint", ["fingerprint", "submitted_at"], "fingerprint IS NOT NULL", False),
        ("ix_queries_leader_id", ["leader_id"], "leader_id IS NOT NULL", False),
        ("ix_queries_finished_at", ["finished_at"], None, False),
        ("ix_queries_expires_at", ["expires_at"], "state = 'succeeded'", False),
        ("ix_queries_user_id_id", ["user_id", "id"], None, False),
    ):
        where = sa.text(only) if only else None
        op.create_index(
            name,
            "queries",
            columns,
            unique=unique,
            schema=schema,
            postgresql_where=where,
            sqlite_where=where,
        )


def _control_requests(schema: str | None) -> None:
    op.create_table(
        "control_requests",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("datasource", sa.String(63), nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("correlation_id", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("claimed_by", sa.String(128)),
        sa.Column("lease_expires_at", UtcDateTime),
        sa.Column("answered_at", UtcDateTime),
        sa.Column("answer", sa.Text),
        sa.Column("error_code", sa.String(64)),
        sa.Column("error_message", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_control_requests"),
        schema=schema,
    )
    op.create_index("ix_control_requests_created_at", "control_requests", ["created_at"], schema=schema)


def _catalogs(schema: str | None) -> None:
    op.create_table(
        "catalogs",
        sa.Column("datasource", sa.String(63), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("fetched_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("datasource", name="pk_catalogs"),
        schema=schema,
    )
