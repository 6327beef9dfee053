"""The data sources a user may query, and what they contain."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from insight_engine.api.bodies import StrictRoute
from insight_engine.api.deps import ControlDep, CurrentUser, QueriesDep
from insight_engine.api.openapi import BODY, problems
from insight_engine.api.schemas import (
    CheckAnswer,
    Datasource,
    Datasources,
    RefreshAnswer,
    SchemaAnswer,
    TableAnswer,
)
from insight_engine.domain.catalog import Table
from insight_engine.domain.errors import NotFound

router = APIRouter(prefix="/api/v1/datasources", tags=["data sources"], route_class=StrictRoute)

Name = Annotated[str, Path(min_length=1, max_length=63)]
ASKS_A_SOURCE = (404, 422, 429, 502)


@router.get("", responses=problems())
async def datasources(user: CurrentUser, queries: QueriesDep) -> Datasources:
    """The sources this user may query."""
    return Datasources(
        datasources=[
            Datasource(name=source.name, dialect=source.dialect.value, schemas=list(source.schemas))
            for source in queries.sources(user)
        ]
    )


@router.get("/{name}/schema", responses=problems(*ASKS_A_SOURCE))
async def schema(
    name: Name,
    user: CurrentUser,
    control: ControlDep,
    search: Annotated[str, Query(max_length=128)] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> SchemaAnswer:
    """The tables and columns this user may read; `search` is a part of a table's or a column's name."""
    found, fetched_at = await control.schema(user, name)
    fitting = [table for table in found.tables if _fits(table, search.casefold())]
    return SchemaAnswer(
        tables=[TableAnswer.of(table) for table in fitting[:limit]],
        found=len(fitting),
        fetched_at=fetched_at,
    )


@router.get("/{name}/tables/{table:path}", responses=problems(*ASKS_A_SOURCE))
async def table(
    name: Name,
    table: Annotated[str, Path(min_length=1, max_length=255)],
    user: CurrentUser,
    control: ControlDep,
) -> TableAnswer:
    """One table, named `schema.table`."""
    found, _ = await control.schema(user, name)
    for candidate in found.tables:
        if candidate.full_name == table:
            return TableAnswer.of(candidate)
    raise NotFound("unknown_table", "There is no such table for you: name it as schema.table.")


@router.post("/{name}/refresh", responses=problems(403, *ASKS_A_SOURCE, *BODY))
async def refresh(name: Name, user: CurrentUser, control: ControlDep) -> RefreshAnswer:
    """Read again what the source contains; for admins."""
    found, fetched_at = await control.refresh(user, name)
    return RefreshAnswer(tables=len(found.tables), fetched_at=fetched_at)


@router.post("/{name}/test", responses=problems(403, *ASKS_A_SOURCE, *BODY))
async def test(name: Name, user: CurrentUser, control: ControlDep) -> CheckAnswer:
    """Log in to the source and look at the rights of the login; for admins."""
    found = await control.check(user, name)
    return CheckAnswer(version=found.version, milliseconds=found.milliseconds, warnings=list(found.warnings))


def _fits(table: Table, wanted: str) -> bool:
    names = (table.full_name, *(column.name for column in table.columns))
    return any(wanted in name.casefold() for name in names)
