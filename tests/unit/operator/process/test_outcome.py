"""What a pass leaves behind decides whether anybody comes back without being called."""

from datetime import UTC, datetime, timedelta
from typing import Any

from insight_operator.queue import Outcome, Verdict
from insight_operator.reconcile import LONGEST_PATIENCE_S, LONGEST_WAIT_S, outcome
from insight_operator.snapshot import Observed, Remark
from insight_operator.status.remarks import PROBE_PATIENCE
from support.objects import engine, live

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def ended(
    kind: str,
    status: str,
    reason: str = "",
    *,
    since: timedelta = timedelta(),
    opens_in_s: float | None = None,
    **seen: Any,
) -> Outcome:
    """Return the outcome of a pass that left one condition, which flipped so long ago."""
    flipped = (NOW - since).isoformat()
    condition = {"type": kind, "status": status, "reason": reason, "lastTransitionTime": flipped}
    return outcome({"conditions": [condition]}, Observed(engine(), **seen), NOW, opens_in_s)


def test_what_is_awaited_is_looked_at_again_before_patience_with_a_probe_ends() -> None:
    waiting = ended("Ready", "False")
    assert waiting.verdict is Verdict.WAITING
    assert waiting.again_after_s is not None
    assert 0 < waiting.again_after_s <= PROBE_PATIENCE.total_seconds()


def test_what_does_not_move_is_looked_at_ever_more_rarely() -> None:
    waits = [ended("Ready", "False", since=timedelta(minutes=n)).again_after_s or 0 for n in (0, 5, 20, 600)]
    assert waits == sorted(set(waits))
    assert waits[-1] == LONGEST_PATIENCE_S


def test_a_new_pod_is_movement() -> None:
    pod = live("Pod", "vanna-api-1")
    pod["metadata"]["creationTimestamp"] = (NOW - timedelta(seconds=20)).isoformat()
    fresh, stale = ended("Ready", "False"), ended("Ready", "False", since=timedelta(days=1), pods=(pod,))
    assert stale == fresh


def test_what_is_at_rest_is_left_alone() -> None:
    settled = ended("Ready", "True")
    assert settled.verdict is Verdict.SETTLED
    assert settled.again_after_s is None


def test_what_events_tell_of_is_looked_at_again() -> None:
    remark = Remark("Pod", "vanna-api-1", "FailedMount", "no such Secret")
    assert ended("Stalled", "True", remarks=(remark,)).again_after_s is not None


def test_a_window_that_opens_is_not_slept_through() -> None:
    soon, later = (ended("Ready", "True", opens_in_s=seconds) for seconds in (60.0, 86_400.0))
    assert soon.verdict is later.verdict is Verdict.SETTLED
    assert soon.again_after_s is not None
    assert 60 < soon.again_after_s < 65, "after it has opened"
    assert later.again_after_s == LONGEST_WAIT_S


def test_who_waits_for_approval_is_left_alone() -> None:
    assert ended("Reconciling", "True", "WaitingForApproval").again_after_s is None
    assert ended("Reconciling", "True", "WaitingForRollout").again_after_s is not None
