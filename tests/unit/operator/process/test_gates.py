"""What may be deleted, and when nothing is under way."""

import copy
from typing import Any, cast

from insight_operator import gates, naming
from insight_operator.cluster import kinds
from insight_operator.desired.plan import plan
from insight_operator.snapshot import Observed
from insight_operator.validate import ValidatedEngine
from support.manifests import named, resource, validated
from support.objects import ENGINE, OTHER, engine, live

VALIDATED = cast("ValidatedEngine", ENGINE)


def observed(*children: dict[str, Any]) -> Observed:
    return Observed(engine(), {(child["kind"], child["metadata"]["name"]): child for child in children})


def test_a_child_no_plan_names_is_an_orphan() -> None:
    assert gates.orphans(VALIDATED, (), observed(live("Service", "vanna-old"))) == [
        live("Service", "vanna-old")
    ]


def test_a_planned_child_is_no_orphan() -> None:
    assert gates.orphans(VALIDATED, (live(),), observed(live())) == []


def test_the_inventory_is_no_orphan() -> None:
    assert gates.orphans(VALIDATED, (), observed(live(name="vanna-inventory"))) == []


def test_secrets_are_never_orphans() -> None:
    assert gates.orphans(VALIDATED, (), observed(live("Secret", "vanna-jwt"))) == []


def test_what_another_owns_is_never_an_orphan() -> None:
    assert gates.orphans(VALIDATED, (), observed(live(owner=OTHER), live("Service", owner=None))) == []


def test_a_config_map_that_a_replica_set_names_is_kept() -> None:
    volume = {"configMap": {"name": "vanna-config-1"}}
    replica_set = {"spec": {"template": {"spec": {"volumes": [volume]}}}}
    old, older = live(name="vanna-config-1"), live(name="vanna-config-0")
    assert gates.unused([old, older], [replica_set]) == [older]


def test_a_name_inside_another_name_does_not_keep_a_config_map() -> None:
    volume = {"configMap": {"name": "vanna-config-10"}}
    assert gates.unused([live(name="vanna-config-1")], [{"spec": {"volumes": [volume]}}])


def _database(replicas: int, ready: int) -> bool:
    """Tell whether the migrate Job may run with a database of so many pods asked for by hand and ready."""
    built = validated()
    wanted = plan(built)
    found = copy.deepcopy(named(built, "StatefulSet", "postgres"))
    found["metadata"]["generation"] = 1
    found["spec"]["replicas"] = replicas
    found["status"] = {"observedGeneration": 1, "readyReplicas": ready}
    seen = Observed(resource(), {("StatefulSet", "vanna-postgres"): found})
    return gates.is_open(kinds.JOB.stage or 0, built, wanted, seen)


def test_a_migration_waits_for_a_database_that_serves() -> None:
    assert _database(replicas=1, ready=1)
    assert not _database(replicas=1, ready=0)


def test_a_database_scaled_to_nothing_by_hand_does_not_count_as_ready() -> None:
    assert not _database(replicas=0, ready=0)


def test_ready_stalled_and_suspended_are_rest() -> None:
    for name in ("Ready", "Stalled", "Suspended"):
        assert gates.at_rest({"conditions": [{"type": name, "status": "True"}]})
    assert not gates.at_rest({"conditions": [{"type": "Ready", "status": "False"}]})


def test_who_serves_with_less_than_asked_for_is_not_at_rest() -> None:
    ready, degraded = ({"type": name, "status": "True"} for name in ("Ready", "Degraded"))
    assert not gates.at_rest({"conditions": [ready, degraded]})
    assert gates.at_rest({"conditions": [ready, degraded | {"status": "False"}]})


def test_suspension_is_the_users_word() -> None:
    assert gates.suspended({"spec": {"suspend": True}})
    assert not gates.suspended({"spec": {}})


def test_the_inventory_has_a_name_of_its_own() -> None:
    assert naming.child(ENGINE, "inventory") == "vanna-inventory"
