"""What a worker met arrives at the API as the same kind of failure, with its code and sentence."""

import pytest

from insight_engine.domain import source_errors
from insight_engine.domain.control import ControlAnswer
from insight_engine.domain.errors import ConfigurationError, EngineError, Forbidden
from insight_engine.services.control_messages import FAULT, document_of, failed
from insight_engine.sqlguard import Reason, ReasonCode, Rejected

REASONS = (
    Reason(ReasonCode.UNKNOWN_TABLE, "There is no table a.", 1, 15),
    Reason(ReasonCode.TOO_COMPLEX, "Make it smaller."),
)


def arrived(error: Exception) -> Exception:
    answer = failed(error)
    assert answer is not None
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which one it is is what is asked
        document_of(answer)
    return raised.value


@pytest.mark.parametrize(
    "error",
    [
        source_errors.SourceUnreachable("It does not answer."),
        source_errors.SourceRefusedCredentials("It refuses the login."),
        source_errors.QueryFailed("column x does not exist"),
        source_errors.QueryTimedOut("It took too long."),
        Forbidden("no_longer_allowed", "You may no longer query this data source."),
        EngineError("some_code", "Some sentence."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failure_keeps_its_kind_code_and_sentence(error: EngineError | source_errors.SourceError) -> None:
    found = arrived(error)
    assert type(found) is type(error)
    assert (getattr(found, "code", None), str(found)) == (error.code, error.message)


def test_a_verdict_keeps_its_reasons() -> None:
    found = arrived(Rejected(REASONS))
    assert isinstance(found, Rejected)
    assert found.reasons == REASONS


def test_what_is_wrong_with_the_worker_s_files_is_not_told() -> None:
    found = arrived(ConfigurationError("secret_unreadable", "/var/run/insight/source-a cannot be read"))
    assert isinstance(found, source_errors.SourceMisconfigured)
    assert "/var/run" not in str(found)


def test_a_password_in_a_database_s_words_is_not_told() -> None:
    found = arrived(source_errors.QueryFailed("could not connect to postgresql://a:hunter2@db/x"))
    assert "hunter2" not in str(found)


def test_a_fault_has_no_answer_of_its_own() -> None:
    assert failed(RuntimeError("a fault")) is None
    with pytest.raises(EngineError, match="its log has the details"):
        document_of(FAULT)


def test_an_answer_is_what_was_answered() -> None:
    assert document_of(ControlAnswer({"version": "18"})) == {"version": "18"}
