"""What the services need from the world, as protocols. Nothing here imports an adapter or a client."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from insight_engine.domain.credentials import SourceCredential
from insight_engine.domain.jobs import Attempt, Failure, Job, NewJob, Outcome
from insight_engine.domain.sources import Caller, DataSource
from insight_engine.domain.users import User

if TYPE_CHECKING:
    import pyarrow as pa

    from insight_engine.sqlguard import PreparedQuery


class Source(Protocol):
    """A data source that can be asked. Every method blocks: call it from a thread."""

    def stream(
        self,
        prepared: "PreparedQuery",
        *,
        query_id: str,
        caller: Caller | None = None,
        correlation_id: str | None = None,
    ) -> "Iterator[pa.RecordBatch]":
        """Run a query on a connection of its own and yield its rows in bounded batches.

        At least one batch comes, if only an empty one that carries the schema. Closing the iterator
        early ends the database's work. Raises SourceError; QueryTimedOut after `prepared.limits.timeout_s`.
        Both ids are visible to the database's own administrators, in its session settings.
        """
        ...

    def cancel(self, query_id: str) -> bool:
        """End a running query's work, from any thread; True once the database has let go of it."""
        ...

    def close(self) -> None:
        """Cancel whatever runs and free everything held."""
        ...


class OpenSource(Protocol):
    """Makes a `Source`; cheap, connects lazily or at once as the adapter likes."""

    def __call__(self, source: DataSource, credential: SourceCredential | None) -> Source:
        """Open `source` with `credential`."""
        ...


class SourceCatalog(Protocol):
    """The configured data sources, re-read when their file changes."""

    def all(self) -> Mapping[str, DataSource]:
        """Every configured source by name."""
        ...

    def credential(self, name: str) -> SourceCredential | None:
        """The login of that source, or None for sources that are files."""
        ...


class Users(Protocol):
    """The user table."""

    async def by_name(self, username: str) -> User | None:
        """The user of that (normalised) name."""
        ...

    async def by_id(self, user_id: UUID) -> User | None:
        """The user of that id."""
        ...

    async def set_password(self, user_id: UUID, password_hash: str, *, end_sessions: bool) -> None:
        """Store a new hash; with `end_sessions` tokens issued before now stop working."""
        ...


class Jobs(Protocol):
    """The job table: the truth about every query. Each move is a compare-and-set."""

    async def submit(self, new: NewJob) -> Job:
        """Insert the job row and its outbox row in one transaction."""
        ...

    async def get(self, query_id: UUID) -> Job | None:
        """Read one job."""
        ...

    async def claim(self, query_id: UUID, *, worker: str, lease_s: float) -> Attempt | None:
        """Take one queued job; None when it is not (or no longer) queued."""
        ...

    async def claim_waiting(self, *, older_than_s: float, worker: str, lease_s: float) -> Attempt | None:
        """Take the oldest job that has been queued for at least that long."""
        ...

    async def heartbeat(self, attempt: Attempt, *, lease_s: float) -> bool:
        """Extend the lease; False when the attempt is no longer ours."""
        ...

    async def finish(self, attempt: Attempt, outcome: Outcome | Failure) -> bool:
        """End the job in one transaction guarded by the fence; False when a later attempt owns it."""
        ...

    async def hand_back(self, attempt: Attempt) -> bool:
        """Queue the job again for another worker, as this one is leaving."""
        ...

    async def expire(self, query_id: UUID, code: str, message: str) -> None:
        """Mark a succeeded job whose result is gone."""
        ...

    async def reap(self, *, max_attempts: int) -> Sequence[UUID]:
        """Re-queue jobs whose lease ran out, fail those out of attempts; returns the ids that ended."""
        ...


class Outbox(Protocol):
    """Ids whose doorbell may not have rung yet."""

    async def overdue(self, *, older_than_s: float, limit: int) -> Sequence[tuple[UUID, str]]:
        """(query id, correlation id) of entries that old, whose job still is queued."""
        ...

    async def clear(self, ids: Sequence[UUID]) -> None:
        """Forget these entries: their doorbell has rung."""
        ...


class Chunks(Protocol):
    """The result store: Arrow record batches by (query, attempt, seq)."""

    async def prepare(self, bucket: date) -> None:
        """See to it that chunks of that day can be stored."""
        ...

    async def put(self, attempt: Attempt, seq: int, data: bytes, rows: int) -> None:
        """Store one chunk."""
        ...

    async def get(self, job: Job, seq: int) -> bytes | None:
        """Read one chunk; None when it is lost."""
        ...

    async def drop_expired(self, *, keep_days: int) -> None:
        """Delete results that no page can ask for any more."""
        ...


class Leadership(Protocol):
    """At most one process of an instance keeps house."""

    def lead(self) -> AbstractAsyncContextManager["Term | None"]:
        """A term of leadership, or None when another process holds it."""
        ...


class Term(Protocol):
    """A held leadership."""

    async def still_held(self) -> bool:
        """Whether the lock is still ours; asked before each round of work."""
        ...


class Doorbell(Protocol):
    """Tells workers that a job waits. Losing or doubling a ring is harmless."""

    async def ring(self, query_id: UUID, correlation_id: str) -> bool:
        """Publish the id; False when the broker could not take it in time. Never raises."""
        ...

    async def healthy(self) -> bool:
        """Whether the broker answers."""
        ...


class Wakeups(Protocol):
    """Tells waiting requests that a job ended. Losing one is harmless: waiters also poll."""

    def expect(self, query_id: UUID) -> AbstractAsyncContextManager["Wakeup"]:
        """Register interest before the job can end."""
        ...

    async def announce(self, query_id: UUID) -> None:
        """Say that the job ended. Never raises."""
        ...


class Wakeup(Protocol):
    """One registered interest."""

    async def wait(self, timeout_s: float) -> bool:
        """Wait for the announcement; False after the timeout."""
        ...


class Passwords(Protocol):
    """Password hashing, off the event loop and bounded."""

    async def verify(self, password: str, password_hash: str | None) -> tuple[bool, str | None]:
        """Compare; the second value is a better hash to store, if any. None as hash costs the same time.

        Raises:
            Busy: too many logins at once.
        """
        ...

    async def hash(self, password: str) -> str:
        """Hash a new password."""
        ...


class Tokens(Protocol):
    """Access tokens."""

    def issue(self, user: User) -> tuple[str, int]:
        """A signed access token and its lifetime in seconds."""
        ...

    def verify(self, token: str) -> tuple[UUID, float]:
        """(user id, issued-at) of a valid token.

        Raises:
            Unauthenticated: anything at all is wrong with it.
        """
        ...


class DatabaseProbe(Protocol):
    """Whether the store answers."""

    async def healthy(self) -> bool:
        """Ask the database something small, within a second."""
        ...
