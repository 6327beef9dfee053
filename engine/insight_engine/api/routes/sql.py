"""Judging and explaining SQL without running it."""

from fastapi import APIRouter

from insight_engine.api.bodies import StrictRoute
from insight_engine.api.deps import ControlDep, CurrentUser, QueriesDep
from insight_engine.api.openapi import BODY, problems
from insight_engine.api.problems import reasons_of
from insight_engine.api.schemas import Explanation, ReasonAnswer, Statement, Verdict
from insight_engine.domain.query import QueryLimits
from insight_engine.sqlguard import Rejected

router = APIRouter(prefix="/api/v1/sql", tags=["SQL"], route_class=StrictRoute)


@router.post("/validate", responses=problems(403, 404, *BODY))
async def validate(body: Statement, user: CurrentUser, queries: QueriesDep) -> Verdict:
    """Whether a statement may run: 200 whatever the verdict."""
    try:
        prepared = await queries.judge(user, body.datasource, body.sql, body.given(), QueryLimits())
    except Rejected as rejected:
        reasons = [ReasonAnswer(**reason) for reason in reasons_of(rejected)]
        return Verdict(allowed=False, reasons=reasons, tables=[])
    return Verdict(allowed=True, reasons=[], tables=list(prepared.tables))


@router.post("/explain", responses=problems(403, 404, 429, 502, *BODY))
async def explain(
    body: Statement, user: CurrentUser, queries: QueriesDep, control: ControlDep
) -> Explanation:
    """The database's plan for a statement, which is not run."""
    prepared = await queries.judge(user, body.datasource, body.sql, body.given(), QueryLimits())
    plan = await control.explain(user, prepared)
    max_cost = prepared.source.rule_of(user.role).max_cost
    return Explanation(
        plan=plan.text,
        cost=plan.cost,
        rows=plan.rows,
        max_cost=max_cost,
        allowed=max_cost is None or plan.cost is None or plan.cost <= max_cost,
    )
