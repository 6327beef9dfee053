"""Every failure as problem+json (RFC 9457): a stable code, one sentence, the correlation id.

docs/reference/problems.md lists every code; a test compares the two.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from asgi_correlation_id.context import correlation_id
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from insight_engine.api.field_problems import field_problems, fields_of
from insight_engine.domain import errors
from insight_engine.domain.source_errors import SourceError
from insight_engine.sqlguard import ReasonCode, Rejected
from insight_engine.telemetry import get_logger, scrub

PROBLEM_JSON: Final = "application/problem+json"
STATUSES: Final[tuple[tuple[type[errors.EngineError], int], ...]] = (
    (errors.InvalidRequest, 422),
    (errors.TooLarge, 413),
    (errors.Unauthenticated, 401),
    (errors.Forbidden, 403),
    (errors.NotFound, 404),
    (errors.NotReady, 409),
    (errors.Conflict, 409),
    (errors.Gone, 410),
    (errors.Busy, 429),
    (errors.Unavailable, 503),
)
GRANT_CODES: Final = {
    ReasonCode.SCHEMA_NOT_GRANTED,
    ReasonCode.TABLE_NOT_GRANTED,
    ReasonCode.COLUMN_NOT_GRANTED,
}
RETRY_AFTER_S: Final = {429: "1", 503: "2"}


def problem(
    status: int, code: str, detail: str, *, headers: Mapping[str, str] | None = None, **extra: Any
) -> Response:
    """One problem document."""
    body = {
        "type": f"urn:insight-engine:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "correlation_id": correlation_id.get(),
        **extra,
    }
    sent = dict(headers or {})
    if status in RETRY_AFTER_S:
        sent["Retry-After"] = RETRY_AFTER_S[status]
    if status == HTTPStatus.UNAUTHORIZED:
        sent["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, status, sent, media_type=PROBLEM_JSON)


def problem_response(error: errors.EngineError) -> Response:
    """An expected failure."""
    if isinstance(error, errors.ConfigurationError):
        # Its sentence names files and settings: that is for the log, not for a caller.
        get_logger("api").error("Could not serve a request as configured", reason=scrub(error.message))
        return problem(503, "misconfigured", "The engine is not configured correctly. Tell its operator.")
    status = next((status for kind, status in STATUSES if isinstance(error, kind)), 500)
    extra: dict[str, Any] = {}
    if isinstance(error, errors.InvalidRequest) and error.problems:
        extra["errors"] = [{"field": found.field, "message": found.message} for found in error.problems]
    return problem(status, error.code, error.message, **extra)


def reasons_of(error: Rejected) -> list[dict[str, Any]]:
    """Why a statement was refused, each reason with its place in the text."""
    return [
        {
            "code": reason.code.value,
            "message": scrub(reason.message),
            "line": reason.line,
            "column": reason.column,
        }
        for reason in error.reasons
    ]


def rejected_response(error: Rejected) -> Response:
    """A statement that the guard refused: 400 not understood, 403 not granted, 422 not allowed."""
    codes = {reason.code for reason in error.reasons}
    status = 422
    if codes <= GRANT_CODES:
        status = 403
    elif codes == {ReasonCode.SYNTAX}:
        status = 400
    reasons = reasons_of(error)
    detail = "; ".join(str(reason["message"]) for reason in reasons)
    return problem(status, "sql_rejected", detail, reasons=reasons)


def bad_json(detail: str) -> Response:
    """A body that is no JSON, or JSON that could be read in two ways."""
    return problem(400, "bad_json", detail)


def _validation_response(request: Request, error: RequestValidationError) -> Response:
    fields = field_problems(error.errors(), fields_of(request))
    detail = "; ".join(f"{entry['field']}: {entry['message']}" for entry in fields)
    return problem(422, "invalid_request", detail, errors=fields)


HTTP_CODES: Final = {
    404: ("not_found", "There is nothing at this path: GET /openapi.json lists those there are."),
    405: ("method_not_allowed", "This path does not take that method: the header Allow names what it takes."),
}


def install(app: FastAPI) -> None:
    """Answer every kind of failure in this form."""

    @app.exception_handler(errors.EngineError)
    async def engine_error(_request: Request, error: errors.EngineError) -> Response:
        return problem_response(error)

    @app.exception_handler(SourceError)
    async def source_error(_request: Request, error: SourceError) -> Response:
        return problem(502, error.code, scrub(error.message))

    @app.exception_handler(Rejected)
    async def rejected(_request: Request, error: Rejected) -> Response:
        return rejected_response(error)

    @app.exception_handler(RequestValidationError)
    async def validation(request: Request, error: RequestValidationError) -> Response:
        return _validation_response(request, error)

    @app.exception_handler(HTTPException)
    async def http(_request: Request, error: HTTPException) -> Response:
        code, detail = HTTP_CODES.get(error.status_code, ("bad_request", "The request cannot be served."))
        return problem(error.status_code, code, detail, headers=error.headers)


class FaultMiddleware:
    """The last resort: a fault of ours becomes a 500 problem and a logged traceback, never a leaked one."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve; answer 500 when nothing was sent yet."""
        started = False

        async def watch(message: Any) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception:
            get_logger("api").exception("Failed a request by a fault of the engine")
            if started or scope["type"] != "http":
                raise
            detail = "The engine failed. Report the correlation_id to its operator."
            await problem(500, "internal_error", detail)(scope, receive, send)
