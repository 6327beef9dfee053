"""Control requests in the metadata store: taken by one worker at a time, again once its lease ran out."""

import json
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Update, bindparam, func, or_, select, update

from insight_engine.adapters.store.database import Database, retried
from insight_engine.adapters.store.tables import control_requests, queries
from insight_engine.domain.control import ControlAnswer, ControlKind, ControlRequest, ControlState
from insight_engine.domain.jobs import Attempt
from insight_engine.domain.query import QueryState
from insight_engine.ports import Jobs

_ASKED: Final = control_requests.c


class StoredControl:
    """Control requests."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @retried
    async def ask(self, request: ControlRequest, *, within_s: float) -> None:
        """Store a request, which is void after that time."""
        row = {
            "id": request.id,
            "kind": request.kind.value,
            "datasource": request.datasource,
            "payload": json.dumps(dict(request.payload)),
            "correlation_id": request.correlation_id,
        }
        insert = self._database.built(
            ("ask", within_s),
            lambda: (
                self._database.insert(control_requests)
                .values(created_at=self._database.now(), expires_at=self._database.now(within_s))
                .on_conflict_do_nothing()
            ),
        )
        async with self._database.statement() as connection:
            await connection.execute(insert, row)

    @retried
    async def state(self, request_id: UUID) -> ControlState | None:
        """How far it is; None when it is forgotten."""
        async with self._database.statement() as connection:
            row = (await connection.execute(select(control_requests).where(_ASKED.id == request_id))).first()
        if row is None:
            return None
        answer = None
        if row.answered_at is not None:
            answer = ControlAnswer(json.loads(row.answer or "{}"), row.error_code, row.error_message)
        return ControlState(row.claimed_by is not None, answer)

    async def withdraw(self, request_id: UUID) -> None:
        """Make it void unless a worker has taken it."""
        change = (
            update(control_requests)
            .where(_ASKED.id == request_id, _ASKED.claimed_by.is_(None))
            .values(expires_at=self._database.now())
        )
        async with self._database.statement() as connection:
            await connection.execute(change)

    async def claim(
        self, kinds: Sequence[ControlKind], *, min_age_s: float, worker: str, lease_s: float
    ) -> ControlRequest | None:
        """Take the oldest open request of these kinds that is at least that old."""
        names = tuple(kind.value for kind in kinds)

        def build() -> Update:
            oldest = (
                select(_ASKED.id)
                .where(
                    *self._open(),
                    _ASKED.kind.in_(names),
                    _ASKED.created_at <= self._database.now(-min_age_s),
                )
                .order_by(_ASKED.created_at)
                .limit(1)
                .with_for_update(skip_locked=True)
            )
            return self._taking(_ASKED.id == oldest.scalar_subquery(), lease_s)

        statement = self._database.built(("claim_control", names, min_age_s, lease_s), build)
        return await self._taken(statement, {"by": worker})

    async def claim_one(self, request_id: UUID, *, worker: str, lease_s: float) -> ControlRequest | None:
        """Take that request, if it is open."""
        statement = self._database.built(
            ("claim_one_control", lease_s),
            lambda: self._taking(_ASKED.id == bindparam("request"), lease_s),
        )
        return await self._taken(statement, {"by": worker, "request": request_id})

    def _open(self) -> tuple[ColumnElement[bool], ...]:
        now = self._database.now()
        return (
            _ASKED.answered_at.is_(None),
            _ASKED.expires_at > now,
            or_(_ASKED.lease_expires_at.is_(None), _ASKED.lease_expires_at < now),
        )

    def _taking(self, which: ColumnElement[bool], lease_s: float) -> Update:
        return (
            update(control_requests)
            .where(which, *self._open())
            .values(claimed_by=bindparam("by"), lease_expires_at=self._database.now(lease_s))
            .returning(control_requests)
        )

    async def _taken(self, statement: Update, values: dict[str, Any]) -> ControlRequest | None:
        async with self._database.statement() as connection:
            row = (await connection.execute(statement, values)).first()
        return None if row is None else _request(row)

    async def extend(self, request_ids: Sequence[UUID], *, worker: str, lease_s: float) -> None:
        """Say that these are still being worked on."""
        change = (
            update(control_requests)
            .where(_ASKED.id.in_(request_ids), _ASKED.claimed_by == worker, _ASKED.answered_at.is_(None))
            .values(lease_expires_at=self._database.now(lease_s))
        )
        async with self._database.statement() as connection:
            await connection.execute(change)

    @retried
    async def answer(self, request_id: UUID, answer: ControlAnswer, *, worker: str) -> bool:
        """Store the answer; False when another worker has taken the request over."""
        change = (
            update(control_requests)
            .where(_ASKED.id == request_id, _ASKED.claimed_by == worker, _ASKED.answered_at.is_(None))
            .values(
                answered_at=self._database.now(),
                answer=json.dumps(dict(answer.document)),
                error_code=answer.error_code,
                error_message=answer.error_message,
            )
        )
        async with self._database.statement() as connection:
            return (await connection.execute(change)).rowcount == 1


class StoredTakeOver:
    """Takes a query that is to be cancelled away from a worker that does not answer."""

    def __init__(self, database: Database, jobs: Jobs) -> None:
        self._database, self._jobs = database, jobs

    async def take_over(self, query_id: UUID, *, worker: str, lease_s: float) -> Attempt | None:
        """A right to end it that voids its worker's; None when it does not run or was not to be cancelled."""
        change = (
            update(queries)
            .where(
                queries.c.id == query_id,
                queries.c.state == QueryState.RUNNING.value,
                queries.c.cancel_requested_at.is_not(None),
            )
            .values(fence=queries.c.fence + 1, worker=worker, lease_expires_at=self._database.now(lease_s))
            .returning(queries.c.attempt, queries.c.fence, queries.c.result_bucket)
        )
        async with self._database.statement() as connection:
            row = (await connection.execute(change)).first()
        if row is None or (job := await self._jobs.get(query_id)) is None:
            return None
        return Attempt(job=job, number=row.attempt, fence=row.fence, bucket=row.result_bucket)


class StoredLoad:
    """How much waits, in one query over the two small partial indexes of what is alive."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self) -> tuple[int, int, float]:
        """(queued, running, seconds that the oldest queued one has waited)."""
        queued = select(func.count(), func.min(queries.c.queued_at), self._database.now()).where(
            queries.c.state == QueryState.QUEUED.value, queries.c.leader_id.is_(None)
        )
        running = select(func.count()).where(queries.c.state == QueryState.RUNNING.value)
        async with self._database.statement() as connection:
            waiting, oldest, now = (await connection.execute(queued)).one()
            working = (await connection.execute(running)).scalar_one()
        return waiting, working, max(0.0, (now - oldest).total_seconds()) if oldest is not None else 0.0


def _request(row: Row[Any]) -> ControlRequest:
    return ControlRequest(
        id=row.id,
        kind=ControlKind(row.kind),
        datasource=row.datasource,
        correlation_id=row.correlation_id,
        payload=json.loads(row.payload),
    )
