"""A rollback by hand is told from every other change, and is let go when the rendered pods change."""

import copy
from typing import Any

from insight_operator import naming
from insight_operator.desired.plan import key, plan
from insight_operator.desired.revisions import Held, held_back, outlived, unrecorded
from insight_operator.snapshot import ChildKey, Manifest, Observed
from support.manifests import resource, validated

API: ChildKey = ("Deployment", "vanna-api")


class History:
    """An InsightEngine whose specs were rolled out one after the other."""

    def __init__(self) -> None:
        self.children: dict[ChildKey, Manifest] = {}
        self.spec: Manifest = {}

    def roll_out(self, spec: Manifest) -> None:
        """Do what a pass does: apply the plan, then record it."""
        self.spec = spec
        engine = validated(spec)
        planned, held = self.decide()
        for manifest in planned:
            self.children[key(manifest)] = copy.deepcopy(manifest)
        for revision in unrecorded(engine, planned, held, self.children):
            self.children[key(revision)] = revision
        for revision in outlived(engine, self.children):
            del self.children[key(revision)]

    def decide(self) -> tuple[tuple[Manifest, ...], tuple[Held, ...]]:
        """Return what the next pass wants."""
        engine = validated(self.spec)
        return held_back(engine, plan(engine), Observed(resource(self.spec), self.children))

    def undo(self, template: Manifest) -> None:
        """Do what `kubectl rollout undo` does to the API."""
        self.children[API]["spec"]["template"] = copy.deepcopy(template)

    @property
    def template(self) -> Manifest:
        """The API's template as it stands."""
        return copy.deepcopy(self.children[API]["spec"]["template"])

    @property
    def numbers(self) -> list[int]:
        """The recorded revisions of the API."""
        return sorted(
            child["revision"]
            for (kind, _), child in self.children.items()
            if kind == "ControllerRevision" and child["metadata"]["labels"][naming.APP] == "vanna-api"
        )


def level(name: str, **more: Any) -> Manifest:
    return {"api": {"logLevel": name, **more}}


def test_an_undone_deployment_is_held_at_what_it_was_undone_to() -> None:
    history = History()
    history.roll_out(level("INFO"))
    first = history.template
    history.roll_out(level("DEBUG"))
    history.undo(first)
    planned, held = history.decide()
    assert held == (Held("vanna-api", revision=1, newest=2),)
    assert next(item for item in planned if key(item) == API)["spec"]["template"] == first


def test_scaling_does_not_let_go() -> None:
    history = History()
    history.roll_out(level("INFO"))
    first = history.template
    history.roll_out(level("DEBUG"))
    history.undo(first)
    history.roll_out(level("DEBUG", replicas=5))
    assert [one.deployment for one in history.decide()[1]] == ["vanna-api"]
    assert history.template == first
    assert history.children[API]["spec"]["replicas"] == 5


def test_another_rendering_lets_go() -> None:
    history = History()
    history.roll_out(level("INFO"))
    first = history.template
    history.roll_out(level("DEBUG"))
    history.undo(first)
    history.roll_out(level("WARNING"))
    assert history.decide()[1] == ()
    assert history.template["metadata"] != first["metadata"]
    assert history.numbers == [1, 2, 3]


def test_going_forward_again_lets_go() -> None:
    history = History()
    history.roll_out(level("INFO"))
    first = history.template
    history.roll_out(level("DEBUG"))
    second = history.template
    history.undo(first)
    history.undo(second)
    assert history.decide()[1] == ()


def test_a_spec_that_goes_back_is_no_undo() -> None:
    history = History()
    history.roll_out(level("INFO"))
    history.roll_out(level("DEBUG"))
    history.roll_out(level("INFO"))
    assert history.decide()[1] == ()
    assert history.numbers == [2, 3]


def test_a_template_edited_by_hand_is_drift() -> None:
    history = History()
    history.roll_out(level("INFO"))
    first = history.template
    history.roll_out(level("DEBUG"))
    first["spec"]["containers"][0]["image"] = "evil.example/miner:1"
    history.undo(first)
    assert history.decide()[1] == ()


def test_a_restart_by_hand_before_the_undo_does_not_hide_it() -> None:
    history = History()
    history.roll_out(level("INFO"))
    restarted = history.template
    restarted["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"] = "2026-01-01T00:00:00Z"
    history.roll_out(level("DEBUG"))
    history.undo(restarted)
    assert len(history.decide()[1]) == 1


def test_a_crash_before_the_record_is_no_undo() -> None:
    history = History()
    history.roll_out(level("INFO"))
    history.spec = level("DEBUG")  # nothing of it was applied
    assert history.decide()[1] == ()


def test_old_records_go() -> None:
    history = History()
    for replicas in range(14):
        history.roll_out({"api": {"livenessProbe": {"periodSeconds": 10 + replicas}}})
    assert history.numbers == list(range(4, 15))
