"""Judging what a user asks, and recognising equal questions. Nothing runs that did not pass here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from insight_engine.domain.errors import EngineError, Forbidden, NotFound, TooLarge
from insight_engine.domain.jobs import Parameters
from insight_engine.domain.query import QueryLimits
from insight_engine.domain.source_errors import SourceError
from insight_engine.domain.sources import Catalog, DataSource, Role
from insight_engine.domain.users import User
from insight_engine.ports import SourceCatalog
from insight_engine.services.catalogs import CatalogService
from insight_engine.services.control import ControlService
from insight_engine.services.verdicts import MAX_CHARS, Verdicts
from insight_engine.sqlguard import PreparedQuery, ReasonCode, Rejected, prepare
from insight_engine.telemetry import get_logger

MAX_SQL_BYTES: Final = 64 * 1024
MAX_PARAMETER_BYTES: Final = 64 * 1024
STALE_S: Final = 30.0
"""A name that a catalog this old does not know may be newer than the catalog."""
_verdicts: Final = Verdicts()
_UNKNOWN: Final = {ReasonCode.UNKNOWN_TABLE, ReasonCode.UNKNOWN_COLUMN}


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges statements for the API, which opens no source: by the catalog that workers stored."""

    sources: SourceCatalog
    catalogs: CatalogService | None = None
    control: ControlService | None = None

    async def judge(
        self, user: User, datasource: str, sql: str, parameters: Parameters, limits: QueryLimits
    ) -> PreparedQuery:
        """Judge a statement for a user.

        Raises:
            Forbidden: the user may not write SQL.
            NotFound: no such source for this user.
            TooLarge: the statement or its parameters are too long.
            Rejected: the SQL guard refuses it.
        """
        source = self._source_for(user, datasource)
        _require_short(sql, parameters)
        known = None if self.catalogs is None else self.catalogs.known(source)
        try:
            return judged(user, source, sql, parameters, limits, known)
        except Rejected as rejected:
            newer = await self._newer(source) if _only_unknown(rejected) else None
            if newer is None or newer == known:
                raise
            return judged(user, source, sql, parameters, limits, newer)

    def _source_for(self, user: User, datasource: str) -> DataSource:
        if not user.is_at_least(Role.ANALYST):
            raise Forbidden("role_too_low", "Writing SQL needs the role analyst or admin.")
        source = self.sources.all().get(datasource)
        if source is None or not user.may_query(source):
            raise NotFound(
                "unknown_datasource",
                "There is no such data source for you: GET /api/v1/datasources lists yours.",
            )
        return source

    async def _newer(self, source: DataSource) -> Catalog | None:
        if self.catalogs is None or self.control is None:
            return None
        age_s = self.catalogs.age_s(source)
        if age_s is None or age_s < STALE_S:
            return None
        try:
            await self.control.reread(source)
        except (EngineError, SourceError) as error:
            get_logger("queries").info("Judged by an old catalog", datasource=source.name, code=error.code)
            return None
        return self.catalogs.known(source)


def judged(
    user: User,
    source: DataSource,
    sql: str,
    parameters: Parameters,
    limits: QueryLimits,
    catalog: Catalog | None,
) -> PreparedQuery:
    """Judge a statement by what the user may read now; the very same question is not judged twice.

    Raises:
        Rejected: the SQL guard refuses it.
    """
    question = (sql, user.role, limits)
    can_be_kept = not parameters and len(sql) <= MAX_CHARS
    if can_be_kept and (found := _verdicts.find(question, source, catalog)) is not None:
        return found
    given: Any = parameters or None
    prepared = prepare(
        sql,
        source=source,
        grants=source.grants_of(user.role),
        limits=limits,
        parameters=given,
        catalog=catalog,
    )
    if can_be_kept:
        _verdicts.keep(question, source, catalog, prepared)
    return prepared


def fingerprint(user: User, prepared: PreparedQuery, parameters: Parameters) -> str:
    """SHA-256 of all that decides a result: two queries with the same one may share it.

    The role decides what may be read and what it may cost. A server sees the user in the session, where
    rules on rows may depend on it, so there each user is alone; a file has no such rules.
    """
    source, limits = prepared.source, prepared.limits
    identity = str(user.id) if source.path is None else ""
    facts = (
        repr(source),
        prepared.sql,
        canonical(parameters),
        (limits.rows, limits.bytes, limits.timeout_s),
        prepared.policy_digest,
        user.role.value,
        identity,
    )
    return sha256(repr(facts).encode(errors="surrogatepass")).hexdigest()


def canonical(parameters: Parameters) -> str:
    """Parameters as text; equal ones alike, whatever the order of names."""
    if isinstance(parameters, Mapping):
        return json.dumps(dict(parameters), sort_keys=True)
    return json.dumps(list(parameters or ()))


def _require_short(sql: str, parameters: Parameters) -> None:
    if len(sql.encode(errors="surrogatepass")) > MAX_SQL_BYTES:
        raise TooLarge("sql_too_long", f"sql is longer than {MAX_SQL_BYTES // 1024} KiB: shorten it.")
    if parameters and len(canonical(parameters)) > MAX_PARAMETER_BYTES:
        raise TooLarge(
            "parameters_too_long",
            f"parameters are longer than {MAX_PARAMETER_BYTES // 1024} KiB: pass fewer or shorter values.",
        )


def _only_unknown(rejected: Rejected) -> bool:
    return all(reason.code in _UNKNOWN for reason in rejected.reasons)
