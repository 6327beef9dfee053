"""The result store: Arrow chunks by (bucket, query, attempt, seq), a bucket being the UTC day of the attempt.

On PostgreSQL each day is a partition of its own, UNLOGGED (results can be asked for again; a crash of the
database empties them and the API then answers 410), and old results go by dropping their partition.
"""

from datetime import date, timedelta
from typing import Any, ClassVar, Final

from sqlalchemy import ColumnElement, Date, bindparam, delete, func, insert, literal_column, select, text

from insight_engine.adapters.store.database import Database, retried
from insight_engine.adapters.store.tables import RESULTS_SCHEMA, result_chunks
from insight_engine.domain.jobs import Attempt, Job

_PARTITION_LOCK = 0x1E5C_0001
DELETED_AT_ONCE: Final = 100


INSERT_CHUNK: Final = insert(result_chunks)
_OF_RESULT: Final = (
    result_chunks.c.bucket == bindparam("of_day"),
    result_chunks.c.query_id == bindparam("of_query"),
    result_chunks.c.attempt == bindparam("of_attempt"),
)
_SELECT_CHUNK: Final = select(result_chunks.c.data).where(
    *_OF_RESULT, result_chunks.c.seq == bindparam("of_seq")
)
_COUNT_CHUNKS: Final = select(func.count()).select_from(result_chunks).where(*_OF_RESULT)

_ROW: Final[ColumnElement[int]] = literal_column("rowid")
_DELETE_SOME: Final = delete(result_chunks).where(
    _ROW.in_(
        select(_ROW)
        .select_from(result_chunks)
        .where(result_chunks.c.bucket < bindparam("before", type_=Date))
        .limit(DELETED_AT_ONCE)
        .scalar_subquery()
    )
)
"""On SQLite, whose tables have row ids."""


def chunk_row(attempt: Attempt, seq: int, data: bytes, rows: int) -> dict[str, Any]:
    """The row of one chunk, for `INSERT_CHUNK`."""
    return {
        "bucket": attempt.bucket,
        "query_id": attempt.job.id,
        "attempt": attempt.number,
        "seq": seq,
        "rows": rows,
        "data": data,
    }


def partition_name(bucket: date) -> str:
    """The partition of one day."""
    return f"result_chunks_{bucket:%Y%m%d}"


class StoredChunks:
    """Result chunks in the metadata store."""

    name: ClassVar = "database"
    transactional: ClassVar = True

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ready: set[date] = set()

    async def prepare(self, bucket: date) -> None:
        """See to it that chunks of that day can be stored; one round trip a day per process."""
        if bucket in self._ready or not self._database.postgres:
            return
        async with self._database.transaction() as connection:
            await connection.run_sync(ensure_partition, bucket)
        self._ready.add(bucket)

    async def put(self, attempt: Attempt, seq: int, data: bytes, rows: int) -> None:
        """Store one chunk."""
        async with self._database.statement() as connection:
            await connection.execute(INSERT_CHUNK, chunk_row(attempt, seq, data, rows))

    @retried
    async def get(self, job: Job, seq: int) -> bytes | None:
        """Read one chunk; None when it is lost."""
        row = await self._database.first(_SELECT_CHUNK, {**_result_of(job), "of_seq": seq})
        return None if row is None else row.data

    @retried
    async def count(self, job: Job) -> int:
        """How many chunks of its result there are."""
        async with self._database.statement() as connection:
            return int(await connection.scalar(_COUNT_CHUNKS, _result_of(job)) or 0)

    async def drop_expired(self, *, keep_days: int) -> None:
        """Delete results that no page can ask for any more."""
        async with self._database.statement() as connection:
            today = (await connection.execute(select(self._database.today()))).scalar_one()
            oldest = today - timedelta(days=keep_days)
            names = await connection.run_sync(_old_partitions, oldest) if self._database.postgres else []
        for name in names:  # each by itself: a transaction of many would take longer than one may
            async with self._database.statement() as connection:
                await connection.execute(text(f"DROP TABLE IF EXISTS {RESULTS_SCHEMA}.{name}"))
        if not self._database.postgres:
            await self._delete_before(oldest)

    async def _delete_before(self, oldest: date) -> None:
        """Delete row by row, a few in a transaction: SQLite has one writer, and the others wait for it."""
        while True:
            async with self._database.statement() as connection:
                if (await connection.execute(_DELETE_SOME, {"before": oldest})).rowcount < DELETED_AT_ONCE:
                    return


def _result_of(job: Job) -> dict[str, Any]:
    """Where its chunks are; another query's, when its result is shared."""
    attempt = job.attempt if job.result_attempt is None else job.result_attempt
    return {"of_day": job.result_bucket, "of_query": job.result_id or job.id, "of_attempt": attempt}


def ensure_partition(connection: Any, bucket: date) -> None:
    """Create the partition of a day unless it exists; safe against another process doing the same."""
    name = f"{RESULTS_SCHEMA}.{partition_name(bucket)}"
    if connection.scalar(text("SELECT to_regclass(:name)"), {"name": name}) is not None:
        return
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _PARTITION_LOCK})
    connection.execute(
        text(
            f"CREATE UNLOGGED TABLE IF NOT EXISTS {name} PARTITION OF {RESULTS_SCHEMA}.result_chunks"
            f" FOR VALUES FROM ('{bucket:%Y-%m-%d}') TO ('{bucket + timedelta(days=1):%Y-%m-%d}')"
        )
    )


def _old_partitions(connection: Any, oldest: date) -> list[str]:
    listed = connection.execute(
        text(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = to_regclass(:parent) AND c.relname < :oldest"
        ),
        {"parent": f"{RESULTS_SCHEMA}.result_chunks", "oldest": partition_name(oldest)},
    )
    return list(listed.scalars().all())
