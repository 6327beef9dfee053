"""Doing what was asked of a worker beside queries. Everything is judged again by what the user may do now."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import UUID

from insight_engine.domain.control import ControlAnswer, ControlKind, ControlRequest
from insight_engine.domain.errors import Forbidden, NotFound, Unavailable
from insight_engine.domain.query import QueryLimits
from insight_engine.domain.sources import Caller, DataSource, Role
from insight_engine.ports import Source, SourceCatalog
from insight_engine.services.catalogs import CatalogService
from insight_engine.services.control_messages import FAULT, failed
from insight_engine.services.directory import UserDirectory
from insight_engine.services.open_sources import OpenSources
from insight_engine.sqlguard import prepare
from insight_engine.telemetry import get_logger

CHECK_TIMEOUT_S: Final = 10.0
EXPLAIN_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class ControlWork:
    """Does one request at a call; what it needs of a worker."""

    sources: SourceCatalog
    opened: OpenSources
    catalogs: CatalogService
    directory: UserDirectory

    async def answer(self, request: ControlRequest) -> ControlAnswer:
        """Do it; an expected failure is an answer too.

        Raises:
            Unavailable: the store is away, so nothing can be answered.
        """
        try:
            source = self.source(request.datasource)
            async with self.opened.borrowed(source) as opened:
                return ControlAnswer(await self._do(request, source, opened))
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whoever asked must be answered
            if (answer := failed(error)) is not None:
                return answer
            get_logger("control").exception("Failed a control request by a fault of the engine")
            return FAULT

    def source(self, name: str) -> DataSource:
        """The source of that name, as configured now."""
        source = self.sources.all().get(name)
        if source is None:
            raise NotFound("unknown_datasource", f"The worker knows no data source {name}.")
        return source

    async def _do(self, request: ControlRequest, source: DataSource, opened: Source) -> Mapping[str, Any]:
        if request.kind is ControlKind.SCHEMA:
            await self.catalogs.ensure(source, opened)
            return {}
        if request.kind is ControlKind.REFRESH:
            await self.catalogs.read(source, opened)
            return {}
        if request.kind is ControlKind.TEST:
            return asdict(await asyncio.to_thread(opened.check, timeout_s=CHECK_TIMEOUT_S))
        return await self._explain(request, source, opened)

    async def _explain(
        self, request: ControlRequest, source: DataSource, opened: Source
    ) -> Mapping[str, Any]:
        user = await self.directory.get(UUID(request.payload["user_id"]))
        if user is None or user.disabled or not user.is_at_least(Role.ANALYST) or not user.may_query(source):
            raise Forbidden("no_longer_allowed", "You may no longer query this data source.")
        given = request.payload["parameters"]
        prepared = prepare(
            request.payload["sql"],
            source=source,
            grants=source.grants_of(user.role),
            limits=QueryLimits(timeout_s=EXPLAIN_TIMEOUT_S),
            parameters=given or None,
            catalog=await self.catalogs.ensure(source, opened),
        )
        caller = Caller(user=user.username, role=user.role)
        plan = await asyncio.to_thread(opened.explain, prepared, timeout_s=EXPLAIN_TIMEOUT_S, caller=caller)
        return asdict(plan)
