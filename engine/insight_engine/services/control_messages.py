"""How failures travel from a worker to the API: as a code, a sentence and the kind to raise again. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from insight_engine.domain import errors, source_errors
from insight_engine.domain.control import ControlAnswer
from insight_engine.sqlguard import Reason, ReasonCode, Rejected
from insight_engine.telemetry import scrub

_SOURCE: Final[Mapping[str, type[source_errors.SourceError]]] = {
    kind.code: kind
    for kind in (
        source_errors.SourceError,
        source_errors.SourceUnreachable,
        source_errors.SourceRefusedCredentials,
        source_errors.SourceMisconfigured,
        source_errors.QueryFailed,
        source_errors.QueryTimedOut,
        source_errors.QueryCancelled,
    )
}
_ENGINE: Final[Mapping[str, type[errors.EngineError]]] = {
    kind.__name__: kind
    for kind in (errors.EngineError, errors.Forbidden, errors.NotFound, errors.Unavailable, errors.Busy)
}
FAULT: Final = ControlAnswer(
    {"raised": "EngineError"}, "internal_error", "The engine failed; its log has the details."
)


def failed(error: Exception) -> ControlAnswer | None:
    """The answer that carries an expected failure; None for a fault of the engine."""
    if isinstance(error, Rejected):
        reasons = [[r.code.value, r.message, r.line, r.column] for r in error.reasons]
        return ControlAnswer({"raised": "Rejected", "reasons": reasons}, "sql_rejected", str(error))
    if isinstance(error, source_errors.SourceError):
        return ControlAnswer({"raised": "SourceError"}, error.code, scrub(error.message))
    if isinstance(error, errors.ConfigurationError):
        # Its sentence names files; that is for the log of the worker, not for a user.
        message = "The data source is not configured correctly. Tell the operator of this engine."
        return ControlAnswer({"raised": "SourceError"}, source_errors.SourceMisconfigured.code, message)
    if isinstance(error, errors.EngineError):
        return ControlAnswer({"raised": type(error).__name__}, error.code, error.message)
    return None


def document_of(answer: ControlAnswer) -> Mapping[str, Any]:
    """What was answered.

    Raises:
        SourceError: of the kind that the worker met.
        Rejected: the worker judged otherwise.
        EngineError: of the kind that the worker met.
    """
    if answer.error_code is None:
        return answer.document
    code, message = answer.error_code, answer.error_message or ""
    raised = answer.document.get("raised")
    if raised == "Rejected":
        raise Rejected(
            tuple(
                Reason(ReasonCode(code), message, line, column)
                for code, message, line, column in answer.document["reasons"]
            )
        )
    if raised == "SourceError":
        raise _SOURCE.get(code, source_errors.SourceError)(message)
    raise _ENGINE.get(str(raised), errors.EngineError)(code, message)
