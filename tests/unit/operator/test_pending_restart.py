"""What waits is told in the status without calling the InsightEngine unready, unless its own spec waits."""

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from insight_operator.cluster.client import Listing
from insight_operator.cluster.store import Store
from insight_operator.crd.status import EngineStatus
from insight_operator.desired.pinning import Pending, Waiting
from insight_operator.desired.plan import key, plan
from insight_operator.snapshot import ChildKey, Manifest, Observed
from insight_operator.status.derive import derive
from insight_operator.status.migration import is_stale, migration
from support.history import History
from support.manifests import resource, validated
from support.objects import engine

LABELLED: Manifest = {"pods": {"labels": {"team": "data"}}}
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def status(*pending: Pending, spec: Manifest | None = None) -> Manifest:
    children: dict[ChildKey, Manifest] = {}
    for item in plan(validated(spec)):
        made = children[key(item)] = copy.deepcopy(item)
        made["metadata"]["generation"] = 1
        count = made.get("spec", {}).get("replicas", 0)
        names = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        made["status"] = dict.fromkeys(names, count) | {"observedGeneration": 1}
        if made["kind"] == "Job":
            made["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
    made = derive(validated(spec), None, Observed(resource(spec), children), {}, NOW, pending=pending)
    EngineStatus.model_validate(made, extra="forbid")
    return made


def answer(found: Manifest, kind: str) -> tuple[str, str]:
    condition = next(item for item in found["conditions"] if item["type"] == kind)
    return condition["status"], condition["reason"]


def waiting(reason: Waiting, part: str = "api") -> Pending:
    return Pending(part, "1a2b3c4d", reason, "image a to b: approve it with x=1a2b3c4d")


def test_what_only_the_operator_would_change_leaves_it_ready() -> None:
    found = status(waiting(Waiting.OPERATOR_CHANGED, "postgres"))
    assert answer(found, "Ready") == ("True", "AllComponentsReady")
    assert answer(found, "Reconciling") == ("False", "Settled")
    assert found["pendingRestart"] == [
        {
            "component": "database",
            "revision": "1a2b3c4d",
            "reason": "OperatorChanged",
            "message": "image a to b: approve it with x=1a2b3c4d",
        }
    ]


def test_a_changed_spec_that_waits_is_not_done() -> None:
    found = status(waiting(Waiting.OPERATOR_CHANGED, "redis"), waiting(Waiting.SPEC_CHANGED))
    assert answer(found, "Ready") == ("False", "WaitingForApproval")
    assert answer(found, "Reconciling") == ("True", "WaitingForApproval")
    assert answer(found, "Stalled")[0] == "False"


def test_who_is_suspended_waits_for_nothing() -> None:
    found = status(waiting(Waiting.SPEC_CHANGED), spec={"suspend": True})
    assert answer(found, "Ready") == ("False", "Suspended")
    assert answer(found, "Reconciling")[0] == "False"


def test_when_nothing_waits_the_field_is_absent() -> None:
    assert "pendingRestart" not in status()


def test_a_refused_spec_leaves_what_waits_standing() -> None:
    previous = status(waiting(Waiting.OPERATOR_CHANGED))
    kept = derive(None, None, Observed(resource()), previous, NOW)
    assert kept["pendingRestart"] == previous["pendingRestart"]


def test_the_version_is_the_one_that_runs() -> None:
    history = History()
    history.roll_out({})
    decision = history.upgrade(engine="ghcr.io/insight-engine/insight-engine:9.9.9")
    found = derive(history.engine, None, history.observed, {}, NOW, decision.planned)
    assert found["version"] == "0.1.0"


@pytest.mark.parametrize("annotation", ["1a2b3c4d", "1a2b3c4d,5e6f7a8b"])
def test_an_annotation_on_the_resource_is_news(annotation: str) -> None:
    store = Store()
    store.put(engine(1))
    approved = engine(2, annotations={"insightengine.io/approve": annotation})
    assert store.note("MODIFIED", approved) == {("insight", "vanna")}
    assert store.note("MODIFIED", {**approved}) == set()
    assert store.replace("InsightEngine", "insight", Listing((approved,), 2)) == set()


class TestAMigrateJobWhosePodIsToBeAnother:
    """Its pod cannot be changed: it is replaced, unless it is done."""

    def found(self, condition: str | None, spec: Manifest) -> tuple[bool, str]:
        """Return whether a Job made of the plain spec is replaced, and what is told of it."""
        job = copy.deepcopy(next(item for item in plan(validated()) if item["kind"] == "Job"))
        ended: list[Any] = [{"type": condition, "status": "True"}] if condition else []
        job["status"] = {"conditions": ended}
        wanted = plan(validated(spec))
        observed = Observed(resource(spec), {key(job): job})
        told = migration(validated(spec), wanted, observed, {})
        return is_stale(validated(spec), wanted, observed), told.outcome

    def test_one_that_succeeded_stays(self) -> None:
        assert self.found("Complete", LABELLED) == (False, "succeeded")

    def test_one_that_failed_is_tried_again(self) -> None:
        assert self.found("Failed", LABELLED) == (True, "pending")
        assert self.found("Failed", {}) == (False, "failed")

    def test_one_that_waits_for_a_node_is_replaced(self) -> None:
        assert self.found(None, {"scheduling": {"nodeSelector": {"disk": "ssd"}}}) == (True, "pending")
        assert self.found(None, {}) == (False, "pending")
