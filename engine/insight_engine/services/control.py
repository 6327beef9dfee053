"""What the API asks of a worker beside running queries. The API itself never opens a data source."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from asgi_correlation_id.context import correlation_id

from insight_engine.domain.catalog import SourceSchema, Table
from insight_engine.domain.control import ControlCall, ControlKind, ControlRequest, ControlState
from insight_engine.domain.errors import Busy, Forbidden, NotFound, Unavailable
from insight_engine.domain.ids import uuid7
from insight_engine.domain.jobs import Job
from insight_engine.domain.plans import Plan, SourceCheck
from insight_engine.domain.sources import DataSource, Grants, Role
from insight_engine.domain.users import User
from insight_engine.ports import ControlBell, ControlRequests, SourceCatalog, Wakeup, Wakeups
from insight_engine.services.catalogs import CatalogService
from insight_engine.services.control_messages import document_of
from insight_engine.sqlguard import PreparedQuery

if TYPE_CHECKING:
    from uuid import UUID

TAKEN_WITHIN_S: Final = 5.0
"""Seconds within which some worker must take a request."""
ANSWERED_WITHIN_S: Final[Mapping[ControlKind, float]] = {
    ControlKind.SCHEMA: 40.0,
    ControlKind.REFRESH: 40.0,
    ControlKind.TEST: 20.0,
    ControlKind.EXPLAIN: 20.0,
    ControlKind.CANCEL: 15.0,
}
FIRST_POLL_S: Final = 0.1
LAST_POLL_S: Final = 1.0
MAX_PER_USER: Final = 4


@dataclass(frozen=True, slots=True)
class _Asked:
    request: ControlRequest
    wakeup: Wakeup


class ControlService:
    """Asks a worker and waits for its answer."""

    def __init__(
        self,
        requests: ControlRequests,
        bell: ControlBell,
        wakeups: Wakeups,
        sources: SourceCatalog,
        catalogs: CatalogService,
    ) -> None:
        self._requests, self._bell, self._wakeups = requests, bell, wakeups
        self._sources, self._catalogs = sources, catalogs
        self._waiting: Counter[UUID] = Counter()

    async def schema(self, user: User, datasource: str) -> tuple[SourceSchema, datetime]:
        """The part of a source that the user may read, and when it was read; asks a worker when unknown.

        Raises:
            NotFound: no such source for this user.
            SourceError: the source cannot tell.
            Unavailable: no worker took the request.
        """
        source = self._source(user, datasource)
        stored = await self._catalogs.stored(source)
        if stored is None:
            async with self._one_more(user):
                await self._ask(ControlKind.SCHEMA, source, {})
            stored = await self._catalogs.stored(source)
        return self._granted(user, source, stored)

    async def refresh(self, user: User, datasource: str) -> tuple[SourceSchema, datetime]:
        """The same, read anew; for admins."""
        _require_admin(user)
        source = self._source(user, datasource)
        async with self._one_more(user):
            await self.reread(source)
        return self._granted(user, source, await self._catalogs.stored(source))

    async def reread(self, source: DataSource) -> None:
        """Have a worker read what the source contains, and take it up here."""
        await self._ask(ControlKind.REFRESH, source, {})
        await self._catalogs.reload(source)

    async def check(self, user: User, datasource: str) -> SourceCheck:
        """Have a worker log in to the source; for admins."""
        _require_admin(user)
        source = self._source(user, datasource)
        async with self._one_more(user):
            found = await self._ask(ControlKind.TEST, source, {})
        return SourceCheck(found["version"], found["milliseconds"], tuple(found["warnings"]))

    async def explain(self, user: User, prepared: PreparedQuery) -> Plan:
        """The database's plan for a judged query; the worker judges it again.

        Raises:
            Rejected: the worker judged otherwise.
        """
        given = prepared.parameters
        payload = {
            "sql": prepared.sql,
            "parameters": dict(given) if isinstance(given, Mapping) else list(given),
            "user_id": str(user.id),
        }
        async with self._one_more(user):
            found = await self._ask(ControlKind.EXPLAIN, prepared.source, payload)
        return Plan(found["text"], found["cost"], found["rows"])

    async def ask_cancel(self, job: Job) -> None:
        """Tell every worker that this query is to end; returns at once, its row says when it has.

        The row's `cancel_requested_at` must be set before.
        """
        request = _request(ControlKind.CANCEL, job.datasource, {"query_id": str(job.id)})
        await self._requests.ask(request, within_s=ANSWERED_WITHIN_S[ControlKind.CANCEL])
        await self._bell.call(ControlCall(request.id, job.id))

    async def _ask(
        self, kind: ControlKind, source: DataSource, payload: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        request = _request(kind, source.name, payload)
        async with self._wakeups.expect(request.id) as wakeup:
            await self._requests.ask(request, within_s=ANSWERED_WITHIN_S[kind])
            await self._bell.call(ControlCall(request.id))
            return await self._answered(_Asked(request, wakeup))

    async def _answered(self, asked: _Asked) -> Mapping[str, Any]:
        started, pause = time.monotonic(), FIRST_POLL_S
        while (waited := time.monotonic() - started) < ANSWERED_WITHIN_S[asked.request.kind]:
            await asked.wakeup.wait(pause)
            pause = min(pause * 1.5, LAST_POLL_S)
            state = await self._requests.state(asked.request.id)
            if state is not None and state.answer is not None:
                return document_of(state.answer)
            if waited > TAKEN_WITHIN_S and not _taken(state):
                await self._requests.withdraw(asked.request.id)
                raise Unavailable("no_worker", "No worker is free to ask the data source. Try again soon.")
        raise Unavailable("control_timeout", "The data source took too long to answer. Try again later.")

    def _source(self, user: User, datasource: str) -> DataSource:
        source = self._sources.all().get(datasource)
        if source is None or not user.may_query(source):
            raise NotFound(
                "unknown_datasource",
                "There is no such data source for you: GET /api/v1/datasources lists yours.",
            )
        return source

    def _granted(
        self, user: User, source: DataSource, stored: tuple[SourceSchema, datetime] | None
    ) -> tuple[SourceSchema, datetime]:
        if stored is None:
            raise Unavailable("catalog_unknown", "What the data source contains is being read. Try again.")
        return granted(stored[0], source.grants_of(user.role)), stored[1]

    @asynccontextmanager
    async def _one_more(self, user: User) -> AsyncIterator[None]:
        if self._waiting[user.id] >= MAX_PER_USER:
            raise Busy("too_many_requests", "You are already asking this much at once. Wait for an answer.")
        self._waiting[user.id] += 1
        try:
            yield
        finally:
            self._waiting[user.id] -= 1
            if not self._waiting[user.id]:
                del self._waiting[user.id]


def granted(schema: SourceSchema, grants: Grants) -> SourceSchema:
    """The part of a schema that these grants make readable."""
    return SourceSchema(
        tuple(
            _granted_columns(table, grants)
            for table in schema.tables
            if table.schema in grants.schemas and (not grants.tables or table.full_name in grants.tables)
        )
    )


def _granted_columns(table: Table, grants: Grants) -> Table:
    readable = grants.columns.get(table.full_name)
    if readable is None:
        return table
    return replace(table, columns=tuple(column for column in table.columns if column.name in readable))


def _request(kind: ControlKind, datasource: str, payload: Mapping[str, Any]) -> ControlRequest:
    return ControlRequest(uuid7(), kind, datasource, correlation_id.get() or "", payload)


def _taken(state: ControlState | None) -> bool:
    return state is not None and state.claimed


def _require_admin(user: User) -> None:
    if not user.is_at_least(Role.ADMIN):
        raise Forbidden("role_too_low", "This needs the role admin.")
