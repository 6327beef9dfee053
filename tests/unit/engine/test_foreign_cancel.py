"""Ending a query whose worker is gone ends the work of its present attempt, and of no other."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

from insight_engine.domain.ids import uuid7
from insight_engine.domain.jobs import Attempt, Ended, Job
from insight_engine.domain.sources import Dialect
from insight_engine.services.foreign_cancel import ForeignCancel


def attempt(query_id: UUID, number: int) -> Attempt:
    job = cast("Job", SimpleNamespace(id=query_id))
    return Attempt(job, number, fence=7, bucket=datetime.now(UTC).date())


async def test_the_backend_of_another_attempt_is_left_alone() -> None:
    query_id, ended = uuid7(), list[str]()

    def cancel(name: str) -> bool:
        ended.append(name)
        return True

    @asynccontextmanager
    async def borrowed(_source: object) -> Any:
        yield SimpleNamespace(cancel=cancel)

    async def take_over(*_: object, **__: object) -> Attempt:
        return attempt(query_id, 2)

    async def finish(*_: object) -> Ended:
        return Ended()

    async def announce(_: UUID) -> None:
        """Nobody waits."""

    source = SimpleNamespace(dialect=Dialect.POSTGRES)
    parts: dict[str, Any] = {
        "jobs": SimpleNamespace(finish=finish),
        "taking": SimpleNamespace(take_over=take_over),
        "sources": SimpleNamespace(all=lambda: {"sales": source}),
        "opened": SimpleNamespace(borrowed=borrowed),
        "wakeups": SimpleNamespace(announce=announce),
        "doorbell": None,
    }
    assert await ForeignCancel(worker="w:1", **parts).end(query_id, "sales")
    assert ended == [f"{query_id}.2"]
    assert attempt(query_id, 1).session not in ended
