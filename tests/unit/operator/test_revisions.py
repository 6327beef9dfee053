"""A rollback by hand is told from every other change, and is let go when the planned pods change."""

from typing import Any

from insight_operator.desired.plan import key
from insight_operator.desired.revisions import Held
from insight_operator.snapshot import Manifest
from support.history import API, History


def level(name: str, **more: Any) -> Manifest:
    return {"api": {"logLevel": name, **more}}


def test_an_undone_deployment_is_held_at_what_it_was_undone_to() -> None:
    history = History()
    history.roll_out(level("INFO"))
    first = history.template()
    history.roll_out(level("DEBUG"))
    history.undo(first)
    _, planned, held = history.look()
    assert held == (Held("vanna-api", revision=1, newest=2),)
    assert next(item for item in planned if key(item) == API)["spec"]["template"] == first


def test_scaling_does_not_let_go() -> None:
    history = History()
    history.roll_out(level("INFO"))
    first = history.template()
    history.roll_out(level("DEBUG"))
    history.undo(first)
    history.roll_out(level("DEBUG", replicas=5))
    assert [one.deployment for one in history.look()[2]] == ["vanna-api"]
    assert history.template() == first
    assert history.children[API]["spec"]["replicas"] == 5


def test_another_rendering_lets_go() -> None:
    history = History()
    history.roll_out(level("INFO"))
    first = history.template()
    history.roll_out(level("DEBUG"))
    history.undo(first)
    history.roll_out(level("WARNING"))
    assert history.look()[2] == ()
    assert history.template()["metadata"] != first["metadata"]
    assert history.numbers() == [1, 2, 3]


def test_going_forward_again_lets_go() -> None:
    history = History()
    history.roll_out(level("INFO"))
    first = history.template()
    history.roll_out(level("DEBUG"))
    second = history.template()
    history.undo(first)
    history.undo(second)
    assert history.look()[2] == ()


def test_a_spec_that_goes_back_is_no_undo() -> None:
    history = History()
    history.roll_out(level("INFO"))
    history.roll_out(level("DEBUG"))
    history.roll_out(level("INFO"))
    assert history.look()[2] == ()
    assert history.numbers() == [2, 3]


def test_a_template_edited_by_hand_is_drift() -> None:
    history = History()
    history.roll_out(level("INFO"))
    first = history.template()
    history.roll_out(level("DEBUG"))
    first["spec"]["containers"][0]["image"] = "evil.example/miner:1"
    history.undo(first)
    assert history.look()[2] == ()


def test_a_restart_by_hand_before_the_undo_does_not_hide_it() -> None:
    history = History()
    history.roll_out(level("INFO"))
    restarted = history.template()
    restarted["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] = "2026-01-01T00:00:00Z"
    history.roll_out(level("DEBUG"))
    history.undo(restarted)
    assert len(history.look()[2]) == 1


def test_a_crash_before_the_record_is_no_undo() -> None:
    history = History()
    history.roll_out(level("INFO"))
    history.spec = level("DEBUG")  # nothing of it was applied
    assert history.look()[2] == ()


def test_old_records_go() -> None:
    history = History()
    for replicas in range(14):
        history.roll_out({"api": {"livenessProbe": {"periodSeconds": 10 + replicas}}})
    assert history.numbers() == list(range(4, 15))
