"""The status tells what is so, in kstatus terms, and its times move only when something flips."""

import pytest

from insight_operator import naming
from insight_operator.errors import (
    Conflict,
    InvalidReference,
    InvalidSpec,
    OperatorError,
    QuotaExceeded,
    WriteForbidden,
)
from insight_operator.snapshot import ChildKey, Manifest, Observed
from insight_operator.status.derive import derive
from support.bad_engines import EXTERNAL
from support.worlds import API, JOB, POSTGRES, REDIS, T0, T1, WORKER, World, answers, condition


def test_a_whole_instance_is_ready() -> None:
    assert answers(World().status()) == {
        "Ready": ("True", "AllComponentsReady"),
        "Reconciling": ("False", "Settled"),
        "Stalled": ("False", "NotStalled"),
        "Available": ("True", "MinimumAvailable"),
        "Degraded": ("False", "AtSpec"),
        "DatabaseReady": ("True", "Running"),
        "BrokerReady": ("True", "Running"),
        "MigrationsApplied": ("True", "Succeeded"),
        "APIAvailable": ("True", "Running"),
        "WorkersAvailable": ("True", "Running"),
        "Suspended": ("False", "NotSuspended"),
    }


def test_the_other_fields_say_what_runs() -> None:
    status = World().status()
    assert status["components"]["api"]["summary"] == "2/2"
    assert status["replicas"] == 2
    assert status["selector"] == "app=vanna-worker"
    assert status["url"] == "http://vanna-api.insight.svc:8000"
    assert status["version"] == "0.1.0"
    assert status["observedGeneration"] == 1


def test_a_condition_keeps_its_time_while_it_does_not_flip() -> None:
    first = World().status(now=T0)
    assert World().status(first, now=T1) == first


def test_a_condition_that_flips_takes_the_time_of_the_pass() -> None:
    world = World()
    first = world.status(now=T0)
    world.count(POSTGRES, 0)
    second = world.status(first, now=T1)
    assert condition(second, "Ready")["lastTransitionTime"] == "2026-01-02T03:05:05Z"
    assert condition(second, "BrokerReady")["lastTransitionTime"] == "2026-01-02T03:04:05Z"


def test_a_new_reason_alone_moves_no_time() -> None:
    world = World()
    world.count(POSTGRES, 0)
    first = world.status(now=T0)
    world.count(POSTGRES, 1)
    world.count(API, 0)
    second = world.status(first, now=T1)
    assert condition(first, "Ready")["reason"] != condition(second, "Ready")["reason"]
    assert condition(second, "Ready")["lastTransitionTime"] == "2026-01-02T03:04:05Z"


def test_every_condition_carries_the_generation_it_was_judged_on() -> None:
    world = World(generation=7)
    status = world.status()
    assert {item["observedGeneration"] for item in status["conditions"]} == {7}
    assert status["observedGeneration"] == 7


def test_a_new_generation_is_reconciling_from_its_first_write() -> None:
    world = World()
    settled = world.status()
    changed = World({"api": {"processes": 3}}, generation=2)
    changed.children = world.children
    status = changed.status(settled)
    assert answers(status)["Reconciling"] == ("True", "ApplyingSpec")
    assert answers(status)["Ready"] == ("False", "RollingOut")
    assert answers(status)["Available"] == ("True", "MinimumAvailable")


def test_nothing_made_yet_is_reconciling() -> None:
    world = World()
    world.children = {}
    assert answers(world.status())["Reconciling"] == ("True", "ApplyingSpec")


def test_a_starting_database_is_waited_for() -> None:
    world = World()
    world.count(POSTGRES, 0)
    for child in (API, WORKER, JOB):
        del world.children[child]
    status = answers(world.status())
    assert status["Ready"] == ("False", "DatabaseUnreachable")
    assert status["Reconciling"] == ("True", "WaitingForDatabase")
    assert status["Available"] == ("False", "DependencyDown")


def test_a_database_lost_later_is_unready_without_a_change_under_way() -> None:
    world = World()
    settled = world.status()
    world.count(POSTGRES, 0)
    status = answers(world.status(settled))
    assert status["Ready"] == ("False", "DatabaseUnreachable")
    assert status["Reconciling"] == ("False", "Settled")
    assert status["Available"] == ("True", "MinimumAvailable")


def test_a_lost_broker_is_named() -> None:
    world = World()
    settled = world.status()
    world.count(REDIS, 0)
    assert answers(world.status(settled))["Ready"] == ("False", "BrokerUnreachable")


def test_a_running_migration_is_waited_for() -> None:
    world = World()
    world.children[JOB]["status"] = {"active": 1}
    status = answers(world.status())
    assert status["Ready"] == ("False", "Migrating")
    assert status["Reconciling"] == ("True", "WaitingForMigration")
    assert status["MigrationsApplied"] == ("False", "Pending")


def _fail_migration(world: World) -> None:
    world.children[JOB]["status"] = {
        "conditions": [{"type": "Failed", "status": "True", "message": "backoff"}]
    }
    _last_word(world, '{"outcome":"failed","code":"no_rights","message":"the role may not create a schema"}')


def _last_word(world: World, said: str) -> None:
    pod = world.pod("migrate")
    pod["metadata"]["labels"]["batch.kubernetes.io/job-name"] = JOB[1]
    pod["status"] = {"containerStatuses": [{"name": "migrate", "state": {"terminated": {"message": said}}}]}


def test_a_failed_migration_names_the_job_and_the_reason() -> None:
    world = World()
    _fail_migration(world)
    status = world.status()
    assert answers(status)["Stalled"] == ("True", "MigrationFailed")
    assert answers(status)["Reconciling"] == ("False", "Settled")
    assert answers(status)["Available"] == ("True", "MinimumAvailable")
    message = condition(status, "Stalled")["message"]
    assert JOB[1] in message
    assert "the role may not create a schema" in message


def test_a_failed_migration_stays_failed_while_it_is_tried_again() -> None:
    world = World()
    _fail_migration(world)
    failed = world.status()
    world.children[JOB]["status"] = {"active": 1}
    world.pods.clear()
    assert answers(world.status(failed))["Stalled"] == ("True", "MigrationFailed")


def test_a_failed_migration_that_then_succeeds_is_forgotten() -> None:
    world = World()
    _fail_migration(world)
    failed = world.status()
    assert answers(World().status(failed))["Ready"] == ("True", "AllComponentsReady")


def test_a_job_that_its_ttl_removed_stays_done() -> None:
    world = World()
    _last_word(world, '{"outcome":"succeeded","revision":"0001"}')
    settled = world.status()
    assert settled["migration"]["revision"] == "0001"
    del world.children[JOB]
    world.pods.clear()
    assert world.status(settled) == settled


CLAIM: ChildKey = ("PersistentVolumeClaim", "data-vanna-postgres-0")


def test_another_volume_is_migrated_again() -> None:
    world = World()
    world.children[CLAIM]["metadata"]["uid"] = "first"
    settled = world.status()
    assert settled["migration"]["volume"] == "first"
    del world.children[JOB]
    assert world.status(settled)["migration"]["outcome"] == "succeeded"
    world.children[CLAIM]["metadata"]["uid"] = "second"
    assert world.status(settled)["migration"]["outcome"] == "pending"


@pytest.mark.parametrize(
    ("job_made", "outcome"),
    [("2026-01-01T00:00:00Z", "pending"), ("2026-01-01T00:00:09Z", "succeeded")],
    ids=["older", "younger"],
)
def test_only_a_job_younger_than_the_volume_migrated_it(job_made: str, outcome: str) -> None:
    world = World()
    world.children[CLAIM]["metadata"]["creationTimestamp"] = "2026-01-01T00:00:05Z"
    world.children[JOB]["metadata"]["creationTimestamp"] = job_made
    assert world.status()["migration"]["outcome"] == outcome


def test_a_rollout_waits_for_every_new_pod() -> None:
    world = World()
    world.count(API, 2, updatedReplicas=1, replicas=3)
    status = world.status()
    assert answers(status)["Reconciling"] == ("True", "WaitingForRollout")
    assert answers(status)["Ready"] == ("False", "RollingOut")
    assert "api: 2 of 2 pods available, 1 updated" in condition(status, "Ready")["message"]


def test_counts_of_an_older_generation_do_not_count() -> None:
    world = World()
    world.children[API]["metadata"]["generation"] = 2
    assert answers(world.status())["Ready"] == ("False", "RollingOut")


def test_an_older_pod_that_is_still_ending_holds_ready_back() -> None:
    world = World()
    pod = world.pod("worker")
    pod["metadata"] |= {"deletionTimestamp": T0.isoformat(), "annotations": {naming.TEMPLATE_HASH: "older"}}
    status = world.status()
    assert answers(status)["Ready"] == ("False", "RollingOut")
    assert "older pods are ending" in condition(status, "Ready")["message"]


def test_a_pod_of_the_present_template_may_end_without_alarm() -> None:
    world = World()
    settled = world.status()
    template = world.children[WORKER]["spec"]["template"]
    world.pod("worker")["metadata"] |= {
        "deletionTimestamp": T0.isoformat(),
        "annotations": template["metadata"]["annotations"],
    }
    assert world.status(settled) == settled


def test_losing_one_of_two_workers_degrades_but_stays_ready() -> None:
    world = World()
    settled = world.status()
    world.count(WORKER, 1)
    status = answers(world.status(settled))
    assert status["Ready"] == ("True", "AllComponentsReady")
    assert status["Degraded"] == ("True", "PartialWorkers")
    assert status["WorkersAvailable"] == ("False", "Partial")


def test_one_of_two_workers_is_not_ready_before_both_ever_were() -> None:
    world = World()
    world.count(WORKER, 1)
    assert answers(world.status())["Ready"] == ("False", "RollingOut")


@pytest.mark.parametrize(
    ("child", "reason"),
    [(API, "APIUnavailable"), (WORKER, "WorkersUnavailable")],
    ids=str,
)
def test_losing_every_pod_of_a_component_is_named(child: ChildKey, reason: str) -> None:
    world = World()
    settled = world.status()
    world.count(child, 0)
    lost = world.status(settled)
    assert answers(lost)["Ready"] == ("False", reason)
    assert world.status(lost, T1) == lost


def test_without_an_api_pod_there_is_no_endpoint() -> None:
    world = World()
    world.count(API, 0)
    assert answers(world.status())["Available"] == ("False", "NoEndpoints")


def test_a_missed_progress_deadline_stalls() -> None:
    world = World()
    world.count(API, 0)
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    world.children[API]["status"]["conditions"] = [late]
    assert answers(world.status())["Stalled"] == ("True", "ProgressDeadlineExceeded")


def _spoil(world: World) -> None:
    """Make the present API template one whose image cannot be pulled, its rollout late."""
    world.count(API, 0)
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    refused = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: q"}
    world.children[API]["status"]["conditions"] = [late, refused]
    stuck = {"name": "api", "ready": False, "state": {"waiting": {"reason": "ImagePullBackOff"}}}
    annotations = dict(world.children[API]["spec"]["template"]["metadata"]["annotations"])
    world.pod("api", containerStatuses=[stuck])["metadata"]["annotations"] = annotations


def test_an_image_of_the_present_template_that_cannot_be_pulled_stalls() -> None:
    world = World()
    _spoil(world)
    world.children[API]["status"]["conditions"] = []
    assert answers(world.status())["Stalled"] == ("True", "ImagePullFailed")


def test_a_corrected_spec_is_not_stalled_before_it_is_applied() -> None:
    spoilt = World()
    _spoil(spoilt)
    world = World({"api": {"processes": 3}}, generation=2)
    world.children, world.pods = spoilt.children, spoilt.pods
    status = answers(world.status(spoilt.status()))
    assert status["Stalled"] == ("False", "NotStalled")
    assert status["Reconciling"] == ("True", "ApplyingSpec")


def test_a_corrected_spec_is_not_stalled_by_what_was_said_before_it_was_applied() -> None:
    spoilt = World()
    _spoil(spoilt)
    world = World({"api": {"processes": 3}}, generation=2)
    world.pods = spoilt.pods
    world.children[API]["metadata"]["generation"] = 2
    world.children[API]["status"] = spoilt.children[API]["status"]
    status = answers(world.status(spoilt.status()))
    assert status["Stalled"] == ("False", "NotStalled")
    assert status["Reconciling"] == ("True", "WaitingForRollout")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InvalidSpec("spec.api", "is wrong"), "InvalidSpec"),
        (InvalidReference("spec.api", "is wrong"), "InvalidReference"),
        (Conflict("spec.api", "is wrong"), "Conflict"),
        (QuotaExceeded("spec.api", "is wrong"), "QuotaExceeded"),
        (WriteForbidden("spec.api", "is wrong"), "Forbidden"),
    ],
    ids=str,
)
def test_a_refusal_stalls_with_its_field_and_leaves_what_runs(error: OperatorError, reason: str) -> None:
    status = World().status(error=error)
    assert answers(status)["Stalled"] == ("True", reason)
    assert answers(status)["Ready"] == ("False", "Stalled")
    assert answers(status)["Reconciling"] == ("False", "Settled")
    assert answers(status)["Available"] == ("True", "MinimumAvailable")
    assert condition(status, "Stalled")["message"] == "spec.api: is wrong"


def test_a_spec_that_cannot_be_read_keeps_what_was_known() -> None:
    world = World()
    settled = world.status()
    error = InvalidSpec("spec.api.replicas", "must be at least 1")
    observed = Observed(world.resource, world.children)
    status = derive(None, error, observed, settled, T1)
    assert status["version"] == settled["version"]
    assert status["components"] == settled["components"]
    assert answers(status)["MigrationsApplied"][0] == "Unknown"


def test_suspended_and_whole_is_ready() -> None:
    status = answers(World({"suspend": True}).status())
    assert status["Suspended"] == ("True", "Requested")
    assert status["Ready"] == ("True", "AllComponentsReady")


def test_suspended_in_the_middle_of_a_change_says_so() -> None:
    world = World({"suspend": True})
    del world.children[API]
    status = answers(world.status())
    assert status["Ready"] == ("False", "Suspended")
    assert status["Reconciling"] == ("False", "Settled")


def test_a_workload_scaled_to_nothing_by_hand_is_not_complete() -> None:
    world = World()
    world.children[API]["spec"]["replicas"] = 0
    world.count(API, 0)
    status = world.status()
    assert answers(status)["Ready"] == ("False", "RollingOut")
    assert status["components"]["api"]["summary"] == "0/2"


def test_suspended_and_scaled_to_nothing_by_hand_is_not_ready() -> None:
    world = World({"suspend": True})
    settled = world.status()
    world.children[API]["spec"]["replicas"] = 0
    world.count(API, 0)
    assert answers(world.status())["Ready"] == ("False", "Suspended")
    assert answers(world.status(settled))["Ready"] == ("False", "APIUnavailable")


def test_suspended_does_not_hide_that_a_dependency_is_lost() -> None:
    world = World({"suspend": True})
    settled = world.status()
    world.count(POSTGRES, 0)
    assert answers(world.status(settled))["Ready"] == ("False", "DatabaseUnreachable")


def test_external_servers_are_known_only_through_the_api() -> None:
    world = World({"database": EXTERNAL, "broker": EXTERNAL})
    assert answers(world.status())["DatabaseReady"] == ("True", "External")
    world.count(API, 0)
    assert answers(world.status())["DatabaseReady"] == ("Unknown", "External")
    assert "database" not in world.status()["components"]


@pytest.mark.parametrize(
    ("spec", "reason"), [({}, "Absent"), ({"database": EXTERNAL}, "External")], ids=["managed", "external"]
)
def test_what_nobody_has_looked_at_yet_is_named_as_the_spec_names_it(spec: Manifest, reason: str) -> None:
    status = derive(None, None, Observed(World(spec).resource), {}, T0)
    assert answers(status)["DatabaseReady"][1] == reason
    assert answers(status)["Reconciling"] == ("True", "ApplyingSpec")
