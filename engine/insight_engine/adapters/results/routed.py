"""One store to write results to, and every store that results may still be in to read them from."""

from datetime import date

from insight_engine.domain.errors import Unavailable
from insight_engine.domain.jobs import Attempt, Job
from insight_engine.ports import Chunks


class RoutedChunks:
    """Writes to the store that is configured, reads from the one that each ended query's row names."""

    def __init__(self, primary: Chunks, *others: Chunks) -> None:
        self.name, self.transactional = primary.name, primary.transactional
        self._primary = primary
        self._stores = {store.name: store for store in (primary, *others)}

    async def prepare(self, bucket: date) -> None:
        """See to it that chunks of that day can be stored."""
        await self._primary.prepare(bucket)

    async def put(self, attempt: Attempt, seq: int, data: bytes, rows: int) -> None:
        """Store one chunk."""
        await self._primary.put(attempt, seq, data, rows)

    async def get(self, job: Job, seq: int) -> bytes | None:
        """Read one chunk; None when it is lost."""
        return await self._of(job).get(job, seq)

    async def count(self, job: Job) -> int:
        """How many chunks of its result there are."""
        return await self._of(job).count(job)

    async def drop_expired(self, *, keep_days: int) -> None:
        """Delete results that no page can ask for any more, in every store."""
        failed: Unavailable | None = None
        for store in self._stores.values():
            try:
                await store.drop_expired(keep_days=keep_days)
            except Unavailable as error:  # the other stores need not wait for this one
                failed = error
        if failed is not None:
            raise failed

    def _of(self, job: Job) -> Chunks:
        if job.result_store is None and not job.state.is_final:
            return self._primary  # where its worker stores it now
        name = job.result_store or "database"
        store = self._stores.get(name)
        if store is None:
            raise Unavailable(
                "result_store_unavailable",
                f"The result is in the store {name}, which this instance no longer uses. "
                "Ask its operator, or submit the query again.",
            )
        return store
