"""What a pass leaves behind decides whether anybody comes back without being called."""

from insight_operator.queue import Verdict
from insight_operator.reconcile import LONGEST_WAIT_S, outcome
from insight_operator.status.remarks import PROBE_PATIENCE


def test_what_is_awaited_is_looked_at_again_before_patience_with_a_probe_ends() -> None:
    waiting = outcome({"conditions": [{"type": "Ready", "status": "False"}]})
    assert waiting.verdict is Verdict.WAITING
    assert waiting.again_after_s is not None
    assert 0 < waiting.again_after_s <= PROBE_PATIENCE.total_seconds()


def test_what_is_at_rest_is_left_alone() -> None:
    settled = outcome({"conditions": [{"type": "Ready", "status": "True"}]})
    assert settled.verdict is Verdict.SETTLED
    assert settled.again_after_s is None


def test_a_window_that_opens_is_not_slept_through() -> None:
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    soon, later = outcome(ready, 60.0), outcome(ready, 86_400.0)
    assert soon.verdict is later.verdict is Verdict.SETTLED
    assert soon.again_after_s is not None
    assert 60 < soon.again_after_s < 65, "after it has opened"
    assert later.again_after_s == LONGEST_WAIT_S


def test_who_waits_for_approval_is_left_alone() -> None:
    condition = {"type": "Reconciling", "status": "True", "reason": "WaitingForApproval"}
    assert outcome({"conditions": [condition]}).again_after_s is None
    assert outcome({"conditions": [condition | {"reason": "WaitingForRollout"}]}).again_after_s is not None
