"""Bodies in and out. Unknown fields are refused: a misspelt limit must not be taken for none."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from insight_engine.domain.jobs import Job
from insight_engine.domain.query import QueryState

MAX_ROWS: Final = 1_000_000
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


class QueryRequest(Body):
    """A query to run."""

    datasource: Annotated[str, Field(min_length=1, max_length=63)]
    sql: Annotated[str, Field(min_length=1)]
    wait_s: Annotated[float, Field(ge=0, le=MAX_WAIT_S)] = 10
    row_limit: Annotated[int, Field(ge=1, le=MAX_ROWS)] = 100_000
    timeout_s: Annotated[float, Field(gt=0, le=MAX_TIMEOUT_S)] = 300


class QueryError(BaseModel):
    """Why a query did not succeed."""

    code: str
    message: str


class QueryAnswer(BaseModel):
    """How far a query is."""

    id: UUID
    state: QueryState
    datasource: str
    submitted_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    row_count: int | None
    attempt: int
    error: QueryError | None
    correlation_id: str

    @classmethod
    def of(cls, job: Job) -> "QueryAnswer":
        """From the job row."""
        error = QueryError(code=job.error_code, message=job.error_message or "") if job.error_code else None
        return cls(
            id=job.id,
            state=job.state,
            datasource=job.datasource,
            submitted_at=job.submitted_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
            row_count=job.row_count,
            attempt=job.attempt,
            error=error,
            correlation_id=job.correlation_id,
        )


def page_body(job: Job, columns: Any, rows: list[list[Any]], next_cursor: str | None) -> dict[str, Any]:
    """A page of a result. Not a model: checking each cell again would cost more than reading it."""
    return {
        "schema": [{"name": name, "type": kind} for name, kind in columns],
        "rows": rows,
        "next_cursor": next_cursor,
        "row_count": job.row_count,
        "truncated": job.truncated,
        "expires_at": job.expires_at.isoformat() if job.expires_at else None,
    }
