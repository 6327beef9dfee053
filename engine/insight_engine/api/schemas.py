"""Bodies in and out. Unknown fields are refused: a misspelt limit must not be taken for none."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from insight_engine.domain.catalog import Table
from insight_engine.domain.jobs import Job, Parameters
from insight_engine.domain.query import QueryLimits, QueryState

MAX_ROWS: Final = 10_000_000
MAX_BYTES: Final = 4 * 1024 * 1024 * 1024
MAX_PARAMETERS: Final = 1000
MAX_AGE_S: Final = 86_400
PREVIEW_CHARS: Final = 200
MAX_TIMEOUT_S: Final = 3600
MAX_WAIT_S: Final = 60


class Body(BaseModel):
    """What a caller sends."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class TokenRequest(Body):
    """A login."""

    username: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]
    password: Annotated[str, Field(min_length=1, max_length=4096)]


class TokenAnswer(BaseModel):
    """An access token."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105 - the OAuth name of the scheme
    expires_in: int


class Me(BaseModel):
    """Who the token stands for."""

    id: UUID
    username: str
    role: str


class Datasource(BaseModel):
    """A source that may be queried; never its address."""

    name: str
    dialect: str
    schemas: list[str]


class Datasources(BaseModel):
    """The sources that may be queried."""

    datasources: list[Datasource]


class ColumnAnswer(BaseModel):
    """One column; `type` is the database's own name of it."""

    name: str
    type: str
    nullable: bool
    comment: str | None


class TableAnswer(BaseModel):
    """One table, view or file; `rows` is the database's own estimate."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    schema_: Annotated[str, Field(alias="schema")]
    name: str
    kind: str
    comment: str | None
    rows: int | None
    columns: list[ColumnAnswer]

    @classmethod
    def of(cls, table: Table) -> "TableAnswer":
        """From the catalog."""
        return cls(
            schema_=table.schema,
            name=table.name,
            kind=table.kind,
            comment=table.comment,
            rows=table.rows,
            columns=[
                ColumnAnswer(name=c.name, type=c.type, nullable=c.nullable, comment=c.comment)
                for c in table.columns
            ],
        )


class SchemaAnswer(BaseModel):
    """What a source contains, as far as the caller may read it; `found` counts tables beyond `limit` too."""

    tables: list[TableAnswer]
    found: int
    fetched_at: datetime


class RefreshAnswer(BaseModel):
    """What reading the source again found."""

    tables: int
    fetched_at: datetime


class CheckAnswer(BaseModel):
    """The outcome of trying a source's login; `warnings` are rights it should not have."""

    version: str
    milliseconds: float
    warnings: list[str]


def _exact(value: Any) -> Any:
    """Refuse a whole number that no database's type holds: it would be taken for a float, and rounded."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("a whole number must fit in 64 bits: pass it as text")
    return value


Number = Annotated[float, Field(allow_inf_nan=False)]
Value = Annotated[bool | int | Number | str | None, BeforeValidator(_exact)]
"""A parameter's value."""


class Statement(Body):
    """SQL for a source; `parameters` is a list for `?` and `$1`, or an object for `:name`."""

    datasource: Annotated[str, Field(min_length=1, max_length=63)]
    sql: Annotated[str, Field(min_length=1)]
    parameters: (
        Annotated[list[Value], Field(max_length=MAX_PARAMETERS)]
        | Annotated[dict[str, Value], Field(max_length=MAX_PARAMETERS)]
        | None
    ) = None

    def given(self) -> Parameters:
        """The parameters as services take them."""
        return tuple(self.parameters) if isinstance(self.parameters, list) else self.parameters


class QueryRequest(Statement):
    """A query to run."""

    wait_s: Annotated[float, Field(ge=0, le=MAX_WAIT_S)] = 10
    on_wait_timeout: Literal["continue", "cancel"] = "continue"
    row_limit: Annotated[int, Field(ge=1, le=MAX_ROWS)] = 100_000
    byte_limit: Annotated[int, Field(ge=1, le=MAX_BYTES)] = 256 * 1024 * 1024
    timeout_s: Annotated[float, Field(gt=0, le=MAX_TIMEOUT_S)] = 300
    max_age_s: Annotated[float, Field(ge=0, le=MAX_AGE_S)] = 0

    def limits(self) -> QueryLimits:
        """The caps on the query."""
        return QueryLimits(rows=self.row_limit, bytes=self.byte_limit, timeout_s=self.timeout_s)


class QueryError(BaseModel):
    """Why a query did not succeed."""

    code: str
    message: str


class QueryAnswer(BaseModel):
    """How far a query is. Durations are milliseconds; `progress_rows` counts while it runs."""

    id: UUID
    user_id: UUID
    state: QueryState
    datasource: str
    submitted_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None
    row_count: int | None
    byte_count: int | None
    truncated: bool
    progress_rows: int | None
    cached: bool
    attempt: int
    queue_ms: int | None
    database_ms: int | None
    first_batch_ms: int | None
    cancel_ms: int | None
    error: QueryError | None
    correlation_id: str

    @classmethod
    def of(cls, job: Job) -> Self:
        """From the job row."""
        return cls(**cls._facts(job))

    @classmethod
    def _facts(cls, job: Job) -> dict[str, Any]:
        error = QueryError(code=job.error_code, message=job.error_message or "") if job.error_code else None
        same = (field for field in cls.model_fields if field not in {"error", "sql", "sql_preview"})
        return {**{field: getattr(job, field) for field in same}, "error": error}


class QueryDetail(QueryAnswer):
    """The same, with what was asked."""

    sql: str

    @classmethod
    def _facts(cls, job: Job) -> dict[str, Any]:
        return {**super()._facts(job), "sql": job.sql}


class QueryListed(QueryAnswer):
    """The same, with the beginning of what was asked."""

    sql_preview: str

    @classmethod
    def _facts(cls, job: Job) -> dict[str, Any]:
        return {**super()._facts(job), "sql_preview": job.sql[:PREVIEW_CHARS]}


class Queries(BaseModel):
    """Some queries, newest first."""

    queries: list[QueryListed]
    next_cursor: UUID | None


class ReasonAnswer(BaseModel):
    """One thing that is wrong with a statement, and where in its text."""

    code: str
    message: str
    line: int | None
    column: int | None


class Verdict(BaseModel):
    """Whether a statement may run, and what it reads."""

    allowed: bool
    reasons: list[ReasonAnswer]
    tables: list[str]


class Explanation(BaseModel):
    """The database's plan; `allowed` says whether its cost is within `max_cost`, the caller's limit."""

    plan: str
    cost: float | None
    rows: float | None
    max_cost: float | None
    allowed: bool


class ResultColumn(BaseModel):
    """One column of a result."""

    name: str
    type: str


class ResultDocument(BaseModel):
    """A whole result. For the schema only: checking each cell again would cost more than reading it."""

    model_config = ConfigDict(serialize_by_alias=True)

    schema_: Annotated[list[ResultColumn], Field(alias="schema")]
    rows: list[list[Any]]


class ResultPage(ResultDocument):
    """A page of a result; `next_cursor` is null on the last. Not `complete`: more rows may come to be."""

    next_cursor: str | None
    complete: bool
    row_count: int | None
    truncated: bool
    expires_at: datetime | None


class BadField(BaseModel):
    """One bad field of a request."""

    field: str
    message: str


class Problem(BaseModel):
    """A failure (RFC 9457). Switch on `code`; show `detail`; report `correlation_id`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    correlation_id: str | None
    errors: list[BadField] | None = None
    reasons: list[ReasonAnswer] | None = None


class Check(BaseModel):
    """The state of one dependency."""

    status: Literal["ok", "down"]


class HealthAnswer(BaseModel):
    """What the instance says about itself."""

    status: Literal["ok", "degraded", "down"]
    checks: dict[str, Check]
    version: str
    instance: str


class Version(BaseModel):
    """The release that answers."""

    version: str
