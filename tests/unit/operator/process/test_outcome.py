"""What a pass leaves behind decides whether anybody comes back without being called."""

from insight_operator.queue import Verdict
from insight_operator.reconcile import outcome
from insight_operator.status.complaints import PROBE_PATIENCE


def test_what_is_awaited_is_looked_at_again_before_patience_with_a_probe_ends() -> None:
    waiting = outcome({"conditions": [{"type": "Ready", "status": "False"}]})
    assert waiting.verdict is Verdict.WAITING
    assert waiting.again_after_s is not None
    assert 0 < waiting.again_after_s <= PROBE_PATIENCE.total_seconds()


def test_what_is_at_rest_is_left_alone() -> None:
    settled = outcome({"conditions": [{"type": "Ready", "status": "True"}]})
    assert settled.verdict is Verdict.SETTLED
    assert settled.again_after_s is None
