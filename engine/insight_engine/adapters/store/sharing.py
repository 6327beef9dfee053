"""Followers: queries that share the end of an equal one in flight. All of it inside the caller's transaction.

A leader that somebody follows is marked `followed`, under its row lock: its end either sees the mark or comes
before it. So nobody joins a query unseen while it ends.
"""

from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from insight_engine.adapters.store.database import Database
from insight_engine.adapters.store.job_rows import LEADING, QUEUED
from insight_engine.adapters.store.tables import outbox, queries

SHARED: Final = (
    "state",
    "error_code",
    "error_message",
    "started_at",
    "expires_at",
    "row_count",
    "byte_count",
    "chunk_count",
    "truncated",
    "result_id",
    "result_attempt",
    "result_store",
    "result_bucket",
    "database_ms",
    "first_batch_ms",
)
"""What a query that shares another's end takes over from its row."""


def shared_values(leader: Row[Any]) -> dict[str, Any]:
    """The columns that one who shares that end gets."""
    return {name: leader._mapping[name] for name in SHARED}  # noqa: SLF001 - its public name of a row's dict


async def settle(connection: AsyncConnection, database: Database, leader: Row[Any]) -> tuple[UUID, ...]:
    """End those who follow it, as it ended; who they were."""
    change = (
        update(queries)
        .where(queries.c.leader_id == leader.id, QUEUED)
        .values(finished_at=database.now(), **shared_values(leader))
        .returning(queries.c.id)
    )
    return tuple((await connection.execute(change)).scalars().all())


async def set_free(
    connection: AsyncConnection, database: Database, leader_id: UUID
) -> tuple[UUID, str] | None:
    """Let those who follow it go on without it: the first works for all; the one that must be rung for.

    If an equal query leads by now, they follow that one.
    """
    following = (queries.c.leader_id == leader_id, QUEUED)
    first = (
        await connection.execute(
            select(queries.c.id, queries.c.fingerprint, queries.c.correlation_id)
            .where(*following)
            .order_by(queries.c.id)
            .limit(1)
        )
    ).first()
    if first is None:
        return None
    leads = await mark_followed(
        connection, (queries.c.fingerprint == first.fingerprint) & (queries.c.id != leader_id)
    )
    if leads is None:
        await connection.execute(
            update(queries)
            .where(queries.c.id == first.id)
            .values(leader_id=None, followed=True, queued_at=database.now())
        )
        note = database.insert(outbox).values(
            query_id=first.id, correlation_id=first.correlation_id, created_at=database.now()
        )
        await connection.execute(note.on_conflict_do_nothing())
    await connection.execute(update(queries).where(*following).values(leader_id=leads or first.id))
    return None if leads is not None else (first.id, first.correlation_id)


async def mark_followed(connection: AsyncConnection, which: ColumnElement[bool]) -> UUID | None:
    """Mark the one that leads, if any; it cannot end unnoticed before this transaction does."""
    leader = select(queries.c.id).where(which, *LEADING).limit(1).scalar_subquery()
    change = (
        update(queries).where(queries.c.id == leader, *LEADING).values(followed=True).returning(queries.c.id)
    )
    found: UUID | None = await connection.scalar(change)
    return found
