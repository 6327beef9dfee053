"""Each kind of error has one consequence."""

from insight_operator.cluster import errors
from insight_operator.errors import Conflict, InvalidSpec, WriteForbidden
from insight_operator.queue import Verdict
from insight_operator.retry import is_defect, judge


def test_a_users_fault_waits_for_the_user() -> None:
    outcome = judge(InvalidSpec("spec.image", "wrong"))
    assert outcome.verdict is Verdict.REFUSED
    assert outcome.again_after_s == 600


def test_an_obstacle_is_looked_at_again_soon() -> None:
    assert judge(Conflict("Service/vanna-api", "in the way")).again_after_s == 15
    assert judge(WriteForbidden("Service/vanna-api", "no right")).again_after_s == 15


def test_a_leftover_is_looked_at_again_soon() -> None:
    assert judge(errors.LeftoverError("going")).again_after_s == 1


def test_what_should_pass_soon_and_does_not_is_asked_for_ever_more_rarely() -> None:
    """A leftover may hang on a finalizer for ever."""
    assert judge(errors.LeftoverError("going")).spaced
    assert judge(errors.Outdated("changed", 409)).spaced


def test_an_unreachable_server_backs_off_without_being_a_defect() -> None:
    assert judge(errors.Unreachable("away")).verdict is Verdict.FAILED
    assert not is_defect(errors.Unreachable("away"))


def test_anything_else_backs_off_loudly() -> None:
    assert judge(KeyError("x")).verdict is Verdict.FAILED
    assert is_defect(KeyError("x"))
    assert is_defect(errors.Forbidden("no right", 403))
