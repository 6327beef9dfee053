"""Jobs in a metadata store, and the stores to try them on: PostgreSQL and SQLite."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from insight_engine.adapters.config.endpoints import DatabaseLogin
from insight_engine.adapters.store.chunks import StoredChunks
from insight_engine.adapters.store.database import Database
from insight_engine.adapters.store.jobs import StoredJobs
from insight_engine.adapters.store.migrate import migrate_postgres
from insight_engine.adapters.store.users import StoredUsers
from insight_engine.domain.ids import uuid7
from insight_engine.domain.jobs import Attempt, Job, NewJob, Outcome
from insight_engine.domain.query import QueryLimits
from insight_engine.domain.sources import Role
from insight_engine.domain.users import User
from support.servers import PostgresServer

ADMIN_ID = uuid7()
RESULT = Outcome(rows=1, size=3, chunks=1, truncated=False, last_chunk=b"abc", last_chunk_rows=1)


@contextmanager
def migrated_postgres() -> Iterator[DatabaseLogin]:
    with PostgresServer() as server:
        login = f"postgresql://ie_app_a:password@127.0.0.1:{server.port}/insight"
        migrate_postgres(DatabaseLogin(login), DatabaseLogin(server.admin_uri()), wait_s=10)
        yield DatabaseLogin(login)


async def add_admin(database: Database) -> None:
    now = datetime.now(UTC)
    admin = User(ADMIN_ID, "admin", Role.ADMIN, disabled=False, tokens_valid_from=now, password_hash="x")
    assert await StoredUsers(database).add_first_admin(admin)


def new_job(**changes: Any) -> NewJob:
    new = NewJob(uuid7(), ADMIN_ID, "sales", "SELECT 1", QueryLimits(), "digest", "correlation")
    return replace(new, **changes)


async def claimed(database: Database, lease_s: float = 30, **changes: Any) -> Attempt:
    jobs = StoredJobs(database)
    job = (await jobs.submit(new_job(**changes))).job
    attempt = await jobs.claim(job.id, worker="w:1", lease_s=lease_s)
    assert attempt is not None
    await StoredChunks(database).prepare(attempt.bucket)
    return attempt


async def job_of(database: Database, query_id: UUID) -> Job:
    job = await StoredJobs(database).get(query_id)
    assert job is not None
    return job


def name_of(database: Database, table: str) -> str:
    return f"insight.{table}" if database.postgres else table


async def count(database: Database, table: str) -> int:
    async with database.statement() as connection:
        return int(await connection.scalar(text(f"SELECT count(*) FROM {name_of(database, table)}")) or 0)


async def age(database: Database, query_id: UUID, seconds: float, *columns: str) -> None:
    """Move moments of a job into the past."""
    if database.postgres:
        changes = ", ".join(f"{column} = {column} - interval '{seconds} s'" for column in columns)
    else:
        changes = ", ".join(
            f"{column} = strftime('%Y-%m-%d %H:%M:%f', {column}, '-{seconds} seconds') || '000'"
            for column in columns
        )
    identity = str(query_id) if database.postgres else query_id.hex
    statement = text(f"UPDATE {name_of(database, 'queries')} SET {changes} WHERE id = :id")
    async with database.transaction() as connection:
        assert (await connection.execute(statement, {"id": identity})).rowcount == 1
