"""What only the operator would change restarts nothing; the spec, an approval or the window lets it go."""

from collections.abc import Iterable
from datetime import timedelta

import pytest

from insight_operator import naming
from insight_operator.desired.pinning import Decision, Waiting
from insight_operator.snapshot import Manifest
from support.bad_engines import source
from support.history import API, NOON, POSTGRES, REDIS, WORKER, History

ENGINE = "ghcr.io/insight-engine/insight-engine:0.2.0"
POSTGRES_IMAGE = "docker.io/library/postgres:19"
ALL = {"engine": ENGINE, "postgres": POSTGRES_IMAGE, "redis": "docker.io/library/redis:8"}
WEDNESDAYS = {"days": ["Wed"], "start": "02:00", "duration": "3h", "timeZone": "Europe/Berlin"}


@pytest.fixture
def history() -> History:
    made = History()
    made.roll_out({"dataSources": [source()]})
    return made


def parts(decision: Decision) -> set[str]:
    return {one.part for one in decision.pending}


def image(template: Manifest) -> str:
    return str(template["spec"]["containers"][0]["image"])


def jobs(history: History) -> set[str]:
    return history.names("Job")


def revisions(decision: Decision) -> str:
    return " ".join(one.revision for one in decision.pending)


def test_a_new_operator_restarts_nothing_and_says_what_waits(history: History) -> None:
    before, done = history.templates(), jobs(history)
    decision = history.upgrade(**ALL)
    assert history.templates() == before
    assert jobs(history) == done
    assert parts(decision) == {"api", "worker", "postgres", "redis"}
    assert {one.reason for one in decision.pending} == {Waiting.OPERATOR_CHANGED}
    told = next(one for one in decision.pending if one.part == "postgres")
    assert f"image docker.io/library/postgres:18 to {POSTGRES_IMAGE}" in told.message
    assert f"insightengine.io/approve={told.revision}" in told.message
    assert history.work().pending == decision.pending, "nothing ticks"


def test_api_and_workers_are_one_and_each_server_is_its_own(history: History) -> None:
    waiting = {one.part: one.revision for one in history.upgrade(**ALL).pending}
    assert waiting["api"] == waiting["worker"]
    assert len(set(waiting.values())) == 3


def test_an_approval_lets_go_what_it_names_and_nothing_else(history: History) -> None:
    before = history.templates()
    waiting = {one.part: one.revision for one in history.upgrade(**ALL).pending}
    history.approved = waiting["postgres"]
    assert parts(history.work()) == {"api", "worker", "redis"}
    assert image(history.template(POSTGRES)) == POSTGRES_IMAGE
    assert {place: history.template(place) for place in (API, WORKER, REDIS)} == {
        place: before[place] for place in (API, WORKER, REDIS)
    }
    history.approved = f"{waiting['postgres']},{waiting['api']}  {waiting['redis']}"
    assert history.work().pending == ()
    assert image(history.template(API)) == image(history.template(WORKER)) == ENGINE
    history.approved = ""
    assert history.work().pending == (), "what was rolled out needs no approval any more"


def test_an_old_approval_approves_nothing_new(history: History) -> None:
    history.approved = revisions(history.upgrade(**ALL))
    history.work()
    assert parts(history.upgrade(engine=ENGINE + "-fixed")) == {"api", "worker"}
    history.approved = "all"
    assert parts(history.work()) == {"api", "worker"}


def test_the_migration_comes_with_the_api(history: History) -> None:
    done = jobs(history)
    history.approved = revisions(history.upgrade(**ALL))
    history.work()
    assert len(jobs(history)) == 1
    assert jobs(history) != done
    wanted = history.children[API]["metadata"]["annotations"][naming.MIGRATE_JOB]
    assert jobs(history) == {wanted}


def test_the_waiting_api_waits_for_the_migration_it_had(history: History) -> None:
    history.upgrade(**ALL)
    (job,) = jobs(history)
    for place in (API, WORKER):
        assert history.children[place]["metadata"]["annotations"][naming.MIGRATE_JOB] == job
    assert image(history.children["Job", job]["spec"]["template"]) == history.images.engine.replace(
        "2.0", "1.0"
    )


def test_a_changed_spec_lets_go_what_it_concerns(history: History) -> None:
    history.upgrade(**ALL)
    decision = history.roll_out({**history.spec, "workers": {"concurrency": 9}})
    assert parts(decision) == {"postgres", "redis"}
    assert image(history.template(API)) == image(history.template(WORKER)) == ENGINE


@pytest.mark.parametrize(
    "change",
    [
        {"api": {"replicas": 5}},
        {"workers": {"replicas": 5, "disruptionBudget": {"maxUnavailable": 2}}},
        {"database": {"managed": {"storage": {"size": "20Gi"}}}},
        {"suspend": True},
        {"upgrade": {"strategy": "Supervised"}},
    ],
    ids=str,
)
def test_what_restarts_nothing_lets_nothing_go(history: History, change: Manifest) -> None:
    before = history.templates()
    history.upgrade(**ALL)
    assert len(history.roll_out({**history.spec, **change}).pending) == 4
    assert history.templates() == before


def test_another_size_is_applied_meanwhile(history: History) -> None:
    history.upgrade(**ALL)
    history.roll_out({**history.spec, "api": {"replicas": 5}})
    assert history.children[API]["spec"]["replicas"] == 5


def test_the_settings_count_as_the_operator(history: History) -> None:
    history.overlays = {"worker": {"spec": {"priorityClassName": "batch"}}}
    assert parts(history.work()) == {"worker"}
    history.overlays = {}
    assert history.work().pending == ()


def test_going_back_to_the_earlier_operator_leaves_nothing_to_wait_for(history: History) -> None:
    earlier, before = history.images, history.templates()
    history.upgrade(**ALL)
    history.images = earlier
    assert history.work().pending == ()
    assert history.templates() == before


def test_going_back_after_an_approval_waits_again(history: History) -> None:
    earlier = history.images
    history.approved = revisions(history.upgrade(**ALL))
    history.work()
    history.images = earlier
    assert len(history.work().pending) == 4
    assert image(history.template(API)) == ENGINE


def test_a_spec_that_names_its_image_waits_for_nothing(history: History) -> None:
    history.roll_out({**history.spec, "image": {"tag": "0.1.7"}})
    history.upgrade(engine=ENGINE)
    assert history.work().pending == ()


def in_window(history: History, hours: float) -> Decision:
    history.now = NOON.replace(hour=0) + timedelta(hours=hours)  # 02:00 in Berlin is 00:00 UTC
    return history.work()


def test_the_window_lets_go_and_is_awaited() -> None:
    history = History()
    history.roll_out({"upgrade": {"window": WEDNESDAYS}})
    history.upgrade(**ALL)
    waiting = in_window(history, -1)
    assert len(waiting.pending) == 4
    assert waiting.opens_in_s == 3600
    assert "in spec.upgrade.window" in waiting.pending[0].message
    assert len(in_window(history, 3).pending) == 4
    assert in_window(history, 1).pending == ()
    assert image(history.template(API)) == ENGINE
    assert history.work().opens_in_s is None


@pytest.mark.parametrize(("outcome", "goes_on"), [("pending", True), ("succeeded", True), ("failed", False)])
def test_a_migration_that_was_begun_is_finished_after_the_window(outcome: str, goes_on: bool) -> None:
    history = History()
    history.roll_out({"upgrade": {"window": WEDNESDAYS}})
    history.upgrade(engine=ENGINE)
    history.now = NOON.replace(hour=1)
    begun, _, _ = history.look()
    (job,) = (item["metadata"]["name"] for item in begun.planned if item["kind"] == "Job")
    assert job not in jobs(history)
    history.status["migration"] = {"job": job, "outcome": outcome}
    history.now = NOON
    later, _, _ = history.look()
    assert [item["metadata"]["name"] == job for item in later.planned if item["kind"] == "Job"] == [goes_on]
    assert (later.pending == ()) is goes_on


def test_a_changed_spec_needs_no_window_under_automatic() -> None:
    history = History()
    history.roll_out({"upgrade": {"window": WEDNESDAYS}})
    assert history.roll_out({**history.spec, "api": {"logLevel": "DEBUG"}}).pending == ()


def supervised(**spec: Manifest) -> Manifest:
    return {"upgrade": {"strategy": "Supervised"}, **spec}


def test_under_supervision_a_changed_spec_waits_too() -> None:
    history = History()
    history.roll_out(supervised())
    before = history.templates()
    decision = history.roll_out(supervised(api={"logLevel": "DEBUG", "replicas": 3}))
    assert [(one.part, one.reason) for one in decision.pending] == [("api", Waiting.SPEC_CHANGED)]
    assert history.templates() == before
    assert history.children[API]["spec"]["replicas"] == 3, "what restarts nothing is done"
    assert history.work().pending == decision.pending, "and it is still the spec that waits, not the operator"
    history.approved = decision.pending[0].revision
    assert history.work().pending == ()
    assert history.templates() != before


def test_a_changed_spec_that_goes_back_waits_no_more() -> None:
    history = History()
    history.roll_out(supervised())
    history.roll_out(supervised(api={"logLevel": "DEBUG"}))
    assert history.roll_out(supervised()).pending == ()


def test_an_approval_of_one_change_is_none_of_the_next() -> None:
    history = History()
    history.roll_out(supervised())
    history.approved = revisions(history.roll_out(supervised(api={"logLevel": "DEBUG"})))
    assert len(history.roll_out(supervised(api={"logLevel": "WARNING"})).pending) == 1


def test_under_supervision_the_window_lets_a_changed_spec_go() -> None:
    history = History()
    upgrade = {"strategy": "Supervised", "window": WEDNESDAYS}
    history.roll_out({"upgrade": upgrade})
    history.roll_out({"upgrade": upgrade, "api": {"logLevel": "DEBUG"}})
    assert len(in_window(history, 12).pending) == 1
    assert in_window(history, 0).pending == ()


def test_a_first_rollout_waits_for_nothing() -> None:
    assert History().roll_out(supervised()).pending == ()


def test_a_workload_deleted_by_hand_comes_back_as_it_was(history: History) -> None:
    before = history.templates()
    history.upgrade(**ALL)
    del history.children[POSTGRES], history.children[API]
    history.work()
    assert history.templates() == before


def test_pods_edited_by_hand_are_put_back_to_what_was_recorded(history: History) -> None:
    before = history.template()
    history.upgrade(**ALL)
    history.children[API]["spec"]["template"]["spec"]["containers"][0]["image"] = "evil.example/miner:1"
    history.work()
    assert history.template() == before


def never_up(history: History, places: Iterable[tuple[str, str]]) -> None:
    for place in places:
        history.children[place]["status"] = {
            "conditions": [{"type": "Progressing", "reason": "ReplicaSetUpdated"}],
            "currentRevision": "a",
            "updateRevision": "b",
        }


def test_pods_that_never_came_up_are_not_kept(history: History) -> None:
    never_up(history, (API, WORKER))
    assert parts(history.upgrade(**ALL)) == {"postgres", "redis"}
    assert image(history.template(API)) == ENGINE


def test_a_server_that_never_came_up_is_not_kept(history: History) -> None:
    never_up(history, [POSTGRES])
    assert parts(history.upgrade(**ALL)) == {"api", "worker", "redis"}


def test_pods_that_are_down_for_now_are_kept(history: History) -> None:
    for place in (API, WORKER):
        history.children[place]["status"]["availableReplicas"] = 0
    history.children[POSTGRES]["status"]["readyReplicas"] = 0
    assert len(history.upgrade(**ALL).pending) == 4


def test_a_rollout_that_goes_well_is_not_overtaken(history: History) -> None:
    history.children[API]["status"] = {
        "availableReplicas": 2,
        "conditions": [{"type": "Progressing", "reason": "ReplicaSetUpdated"}],
    }
    assert len(history.upgrade(**ALL).pending) == 4


def test_an_undo_is_held_while_a_new_rendering_waits(history: History) -> None:
    first = history.template()
    history.roll_out({**history.spec, "api": {"logLevel": "DEBUG"}})
    history.upgrade(**ALL)
    history.undo(first)
    decision, _, held = history.look()
    assert [(one.deployment, one.revision, one.newest) for one in held] == [("vanna-api", 1, 2)]
    history.work()
    assert history.template() == first
    assert parts(decision) == {"api", "worker", "postgres", "redis"}
    history.approved = revisions(decision)
    assert history.look()[2] == ()


def test_an_undo_after_an_approval_goes_back_to_what_was_pinned(history: History) -> None:
    first = history.template()
    history.approved = revisions(history.upgrade(**ALL))
    history.work()
    history.undo(first)
    decision, _, held = history.look()
    assert decision.pending == ()
    assert len(held) == 1


def shown_templates(history: History) -> set[str]:
    """Return how the API server showed each recorded rendering of the API."""
    found = (child for place, child in history.children.items() if place[1].startswith("vanna-api-"))
    return {record["metadata"]["annotations"][naming.LIVE_TEMPLATE_HASH] for record in found}


def test_another_spec_while_an_undo_is_held_does_not_hide_whose_change_waits(history: History) -> None:
    first = history.template()
    history.roll_out({**history.spec, "api": {"logLevel": "DEBUG"}})
    shown = shown_templates(history)
    history.undo(first)
    history.roll_out({**history.spec, "workers": {"concurrency": 9}})
    assert history.template() == first
    assert shown_templates(history) == shown, "what is held is not what the newest record is about"
    decision = history.upgrade(**ALL)
    assert parts(decision) == {"api", "worker", "postgres", "redis"}
    assert {one.reason for one in decision.pending} == {Waiting.OPERATOR_CHANGED}


def test_the_config_of_an_earlier_rendering_is_restored(history: History) -> None:
    (old,) = history.names("ConfigMap")
    history.roll_out({"dataSources": [source(name="other")]})
    assert len(history.names("ConfigMap")) == 2
    kept = history.children.pop(("ConfigMap", old))
    history.work()
    assert history.children["ConfigMap", old] == kept


def test_a_pinned_config_is_restored_under_a_new_operator(history: History) -> None:
    (old,) = history.names("ConfigMap")
    history.upgrade(**ALL)
    kept = history.children.pop(("ConfigMap", old))
    history.work()
    assert history.children["ConfigMap", old]["data"] == kept["data"]


def test_a_crash_between_rolling_out_and_recording_lets_nothing_fall_back(history: History) -> None:
    records = {place: child for place, child in history.children.items() if place[0] == "ControllerRevision"}
    history.approved = revisions(history.upgrade(**ALL))
    history.work()
    after = history.templates()
    written = [place for place in history.children if place[0] == "ControllerRevision"]
    history.children = {place: child for place, child in history.children.items() if place not in written}
    history.children |= records
    history.approved = ""
    assert history.work().pending == ()
    assert history.templates() == after


class TestComingFromTheFirstRelease:
    """Its records have no cause, no ConfigMap and no Job, and it kept none of PostgreSQL and Redis."""

    def test_nothing_restarts(self, history: History) -> None:
        history.forget_causes()
        before, done = history.templates(), jobs(history)
        assert len(history.upgrade(**ALL).pending) == 4
        assert history.templates() == before
        assert jobs(history) == done
        assert history.work().pending, "and neither does it once that is recorded"
        assert history.templates() == before
        assert jobs(history) == done

    def test_the_migration_is_not_run_again_under_its_new_name(self, history: History) -> None:
        history.forget_causes()
        for place in (API, WORKER):
            history.children[place]["metadata"]["annotations"][naming.MIGRATE_JOB] = "vanna-migrate-0ld"
        history.status["migration"]["job"] = "vanna-migrate-0ld"
        history.work()
        assert jobs(history) == {"vanna-migrate-0ld"}
        history.work()
        assert jobs(history) == {"vanna-migrate-0ld"}
        assert history.work().pending == ()

    def test_records_are_completed_once(self, history: History) -> None:
        history.forget_causes()
        history.work()
        assert history.numbers() == [2]
        (record,) = [child for place, child in history.children.items() if place[1].startswith("vanna-api-")]
        assert record["data"].keys() == {"template", "configMap", "migrateJob"}
        assert history.numbers("vanna-postgres") == [1]

    def test_a_spec_that_was_changed_meanwhile_is_rolled_out(self, history: History) -> None:
        history.forget_causes()
        history.change({**history.spec, "api": {"logLevel": "DEBUG"}})
        assert history.upgrade(**ALL).pending == ()
        assert image(history.template(API)) == ENGINE

    @pytest.mark.parametrize("reason", ["ApplyingSpec", "InvalidReference", "QuotaExceeded"])
    def test_a_spec_that_had_not_been_applied_is_rolled_out(self, history: History, reason: str) -> None:
        history.forget_causes()
        history.status["conditions"] = [{"type": "Reconciling", "status": "True", "reason": reason}]
        assert history.upgrade(**ALL).pending == ()

    def test_a_spec_whose_migration_was_under_way_is_rolled_out(self, history: History) -> None:
        history.forget_causes()
        history.status["migration"]["job"] = "vanna-migrate-coming"
        assert parts(history.upgrade(engine=ENGINE)) == set()

    def test_what_somebody_edited_by_hand_is_not_taken_for_a_rendering(self, history: History) -> None:
        history.forget_causes()
        history.untouched = False
        assert parts(history.upgrade(**ALL)) == {"api", "worker"}
        assert image(history.template(POSTGRES)) == POSTGRES_IMAGE

    def test_an_undo_is_still_held(self, history: History) -> None:
        first = history.template()
        history.roll_out({**history.spec, "api": {"logLevel": "DEBUG"}})
        history.forget_causes()
        history.undo(first)
        history.upgrade(**ALL)
        assert history.template() == first
        history.work()
        assert history.template() == first
        assert len(history.look()[2]) == 1
