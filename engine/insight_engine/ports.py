"""What the services need from the world, as protocols. Nothing here imports an adapter or a client."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from insight_engine.domain.catalog import SourceSchema
from insight_engine.domain.control import (
    ControlAnswer,
    ControlCall,
    ControlKind,
    ControlRequest,
    ControlState,
)
from insight_engine.domain.credentials import SourceCredential
from insight_engine.domain.jobs import Attempt, Ended, Failure, Hold, Job, NewJob, Outcome, Submitted
from insight_engine.domain.plans import Plan, SourceCheck
from insight_engine.domain.query import QueryState
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

    def explain(self, prepared: "PreparedQuery", *, timeout_s: float, caller: Caller | None = None) -> Plan:
        """The database's plan for a query, which is not run. Raises SourceError."""
        ...

    def schema(self, *, timeout_s: float) -> SourceSchema:
        """The tables of the source's schemas that its login may read. Raises SourceError."""
        ...

    def check(self, *, timeout_s: float) -> SourceCheck:
        """Connect, and look at the rights of the login. Raises SourceError."""
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

    async def submit(self, new: NewJob) -> Submitted:
        """Take a query in, in one transaction.

        As a row to be worked on, with its outbox entry; as a follower of the same query in flight; or as
        ended, with an existing result that is young enough. A known idempotency key gives back its query.
        """
        ...

    async def get(self, query_id: UUID) -> Job | None:
        """Read one job."""
        ...

    async def find(
        self,
        *,
        user_id: UUID | None,
        state: QueryState | None,
        datasource: str | None,
        before: UUID | None,
        limit: int,
    ) -> Sequence[Job]:
        """Jobs, newest first, of one user or of all, older than `before`."""
        ...

    async def claim(self, query_id: UUID, *, worker: str, lease_s: float) -> Attempt | None:
        """Take one queued job; None when it is not (or no longer) queued."""
        ...

    async def claim_waiting(self, *, older_than_s: float, worker: str, lease_s: float) -> Attempt | None:
        """Take the oldest job that has been queued for at least that long."""
        ...

    async def heartbeat(self, attempt: Attempt, *, lease_s: float, rows: int, size: int) -> Hold:
        """Extend the lease and note the progress, in rows and bytes stored."""
        ...

    async def finish(self, attempt: Attempt, outcome: Outcome | Failure) -> Ended | None:
        """End the job and those that follow it in one transaction; None when another attempt owns it.

        May be called again after an answer was lost.
        """
        ...

    async def hand_back(self, attempt: Attempt) -> bool:
        """Queue the job again for another worker; False when it is to be cancelled, or is not ours."""
        ...

    async def cancel(self, query_id: UUID) -> tuple[Job, Ended] | None:
        """Cancel a queued job at once; ask for the end of a running one, whose followers go on without it.

        A job that has ended is left as it is. None when there is no such job.
        """
        ...

    async def expire(self, query_id: UUID, code: str, message: str) -> None:
        """Mark a succeeded job whose result is gone."""
        ...

    async def reap(self, *, max_losses: int, limit: int) -> Sequence[UUID]:
        """Re-queue jobs whose lease ran out, end those lost too often or to be cancelled; the ended ids."""
        ...


class History(Protocol):
    """What is forgotten after a while, at most `limit` rows a call; each says how many it was."""

    async def expire_results(self, *, limit: int) -> int:
        """Mark the queries whose result's time is over."""
        ...

    async def forget_queries(self, *, older_than_s: float, limit: int) -> int:
        """Delete the rows of queries that ended so long ago and have no result any more."""
        ...

    async def forget_requests(self, *, older_than_s: float, limit: int) -> int:
        """Delete control requests that were void so long ago."""
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
    """A result store: Arrow record batches by (query, attempt, seq)."""

    @property
    def name(self) -> str:
        """What a query's row calls it: `database`, `folder` or `s3`."""
        ...

    @property
    def transactional(self) -> bool:
        """Whether the last chunk is stored in the transaction that ends the query."""
        ...

    async def prepare(self, bucket: date) -> None:
        """See to it that chunks of that day can be stored."""
        ...

    async def put(self, attempt: Attempt, seq: int, data: bytes, rows: int) -> None:
        """Store one chunk."""
        ...

    async def get(self, job: Job, seq: int) -> bytes | None:
        """Read one chunk; None when it is lost."""
        ...

    async def count(self, job: Job) -> int:
        """How many chunks of its result there are."""
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
    """Tells who waits that a query or control request changed. May lose one: waiters also poll."""

    def expect(self, query_id: UUID) -> AbstractAsyncContextManager["Wakeup"]:
        """Register interest before it can change; any number may wait for the same one."""
        ...

    async def announce(self, query_id: UUID) -> None:
        """Say that it changed. Never raises."""
        ...


class Wakeup(Protocol):
    """One registered interest."""

    async def wait(self, timeout_s: float) -> bool:
        """Wait for the next change since the last wait; False after the timeout."""
        ...


class ControlRequests(Protocol):
    """What the API asks of workers beside running queries. Each request is done by at most one at a time."""

    async def ask(self, request: ControlRequest, *, within_s: float) -> None:
        """Store a request, which is void after that time."""
        ...

    async def state(self, request_id: UUID) -> ControlState | None:
        """How far it is; None when it is forgotten."""
        ...

    async def withdraw(self, request_id: UUID) -> None:
        """Make it void unless a worker has taken it."""
        ...

    async def claim(
        self, kinds: Sequence[ControlKind], *, min_age_s: float, worker: str, lease_s: float
    ) -> ControlRequest | None:
        """Take the oldest open request of these kinds that is at least that old."""
        ...

    async def claim_one(self, request_id: UUID, *, worker: str, lease_s: float) -> ControlRequest | None:
        """Take that request, if it is open."""
        ...

    async def extend(self, request_ids: Sequence[UUID], *, worker: str, lease_s: float) -> None:
        """Say that these are still being worked on."""
        ...

    async def answer(self, request_id: UUID, answer: ControlAnswer, *, worker: str) -> bool:
        """Store the answer; False when another worker has taken the request over."""
        ...


class ControlBell(Protocol):
    """Tells every worker process that something is asked. Losing a call is harmless: they also poll."""

    async def call(self, call: ControlCall) -> None:
        """Say it to all. Never raises."""
        ...

    async def heard(self, timeout_s: float) -> ControlCall | None:
        """The next call; None after the timeout."""
        ...


class TakeOver(Protocol):
    """Takes a query that is to be cancelled away from a worker that does not answer."""

    async def take_over(self, query_id: UUID, *, worker: str, lease_s: float) -> Attempt | None:
        """A right to end it that voids its worker's; None when it does not run or was not to be cancelled."""
        ...


class Catalogs(Protocol):
    """What the sources contain, as workers last read it."""

    async def stamp(self, datasource: str) -> tuple[str, datetime] | None:
        """(digest, time of reading) of what is stored."""
        ...

    async def load(self, datasource: str) -> tuple[str, datetime, bytes] | None:
        """(digest, time of reading, content)."""
        ...

    async def save(self, datasource: str, digest: str, content: bytes) -> datetime:
        """Replace what is stored; the time of reading, by the store's clock."""
        ...


class LoadFigures(Protocol):
    """How much waits in the whole instance."""

    async def load(self) -> tuple[int, int, float]:
        """(queued, running, seconds that the oldest queued one has waited)."""
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
