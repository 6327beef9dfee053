"""Every condition and every reason is given by some world; none is given that is not in the list."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from insight_operator.desired.pinning import Pending, Waiting
from insight_operator.desired.revisions import Held
from insight_operator.errors import (
    Conflict,
    InvalidReference,
    InvalidSpec,
    OperatorError,
    QuotaExceeded,
    WriteForbidden,
)
from insight_operator.snapshot import Change, Manifest
from insight_operator.status.conditions import REASONS, ConditionType
from support.bad_engines import EXTERNAL
from support.worlds import API, JOB, JOB_LABEL, POSTGRES, REDIS, T0, WORKER, World, answers

Scenario = Callable[[], Manifest]


def refused(error: type[OperatorError]) -> Scenario:
    return lambda: World().status(error=error("spec.x", "is wrong"))


def lost(*children: tuple[str, str]) -> Scenario:
    def scenario() -> Manifest:
        world = World()
        settled = world.status()
        for child in children:
            world.count(child, 0)
        return world.status(settled)

    return scenario


def partial(child: tuple[str, str]) -> Scenario:
    def scenario() -> Manifest:
        world = World()
        settled = world.status()
        world.count(child, 1)
        return world.status(settled)

    return scenario


def nothing_yet() -> Manifest:
    world = World()
    world.children = {}
    return world.status()


def starting() -> Manifest:
    world = World()
    world.count(POSTGRES, 0)
    return world.status()


def migrating() -> Manifest:
    world = World()
    world.children[JOB]["status"] = {"active": 1}
    return world.status()


def failed_migration(code: str) -> Scenario:
    def scenario() -> Manifest:
        world = World()
        world.children[JOB]["status"] = {"conditions": [{"type": "Failed", "status": "True"}]}
        pod = world.pod("migrate", phase="Failed")
        pod["metadata"]["labels"][JOB_LABEL] = JOB[1]
        ended = {"message": f'{{"outcome":"failed","code":"{code}","message":"said"}}'}
        pod["status"]["containerStatuses"] = [{"name": "migrate", "state": {"terminated": ended}}]
        return world.status()

    return scenario


def rolling() -> Manifest:
    world = World()
    world.count(API, 1)
    return world.status()


def unpulled() -> Manifest:
    world = World()
    world.stuck(WORKER, state={"waiting": {"reason": "ImagePullBackOff"}})
    return world.status()


def late() -> Manifest:
    world = World()
    world.count(API, 0)
    stuck = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    world.children[API]["status"]["conditions"] = [stuck]
    return world.status()


def suspended() -> Manifest:
    world = World({"suspend": True})
    del world.children[API]
    return world.status()


def waiting() -> Manifest:
    pending = Pending("api", "abcdef12", Waiting.SPEC_CHANGED, "the image would change")
    return World().status(pending=(pending,))


SCENARIOS: dict[str, Scenario] = {
    "whole": lambda: World().status(),
    "external": lambda: World({"database": EXTERNAL, "broker": EXTERNAL}).status(),
    "nothing yet": nothing_yet,
    "the database starts": starting,
    "the database is migrated": migrating,
    "the migration failed": failed_migration("database_rights"),
    "the schema is of a newer release": failed_migration("schema_newer"),
    "pods start": rolling,
    "the image cannot be pulled": unpulled,
    "no progress in time": late,
    "the database is lost": lost(POSTGRES),
    "the broker is lost": lost(REDIS),
    "the API is lost": lost(API),
    "the API and its database are lost": lost(API, POSTGRES),
    "the workers are lost": lost(WORKER),
    "some of the API is lost": partial(API),
    "some workers are lost": partial(WORKER),
    "rolled back by hand": lambda: World().status(held=(Held("vanna-api", 1, 2),)),
    "a changed spec waits": waiting,
    "a plan is shown": lambda: World().status(changes=(Change("Service/x", "create"),)),
    "suspended in a change": suspended,
    **{
        error.reason: refused(error)
        for error in (InvalidSpec, InvalidReference, Conflict, QuotaExceeded, WriteForbidden)
    },
}


def given(status: Manifest) -> set[tuple[str, str]]:
    return {(kind, reason) for kind, (_, reason) in answers(status).items()}


EVERY = {(kind.value, reason.value) for kind, reasons in REASONS.items() for reason in reasons}


def test_every_reason_of_every_condition_is_given_by_some_world() -> None:
    reached = set().union(*(given(scenario()) for scenario in SCENARIOS.values()))
    assert sorted(EVERY - reached) == []


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_world_gives_a_reason_that_is_not_listed(name: str) -> None:
    status = SCENARIOS[name]()
    assert given(status) <= EVERY
    assert set(answers(status)) == {kind.value for kind in ConditionType}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_world_that_stays_as_it_is_changes_no_status(name: str) -> None:
    scenario = SCENARIOS[name]
    assert scenario() == scenario()


def test_every_condition_has_its_reasons() -> None:
    assert set(REASONS) == set(ConditionType)


def test_a_database_that_starts_too_long_stalls() -> None:
    world = World()
    world.stuck(POSTGRES)
    since = T0.isoformat()
    world.pods[0]["status"]["conditions"] = [
        {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": since}
    ]
    assert answers(world.status(now=T0 + timedelta(minutes=9)))["Stalled"][0] == "False"
    late = answers(world.status(now=T0 + timedelta(minutes=11)))
    assert late["Stalled"] == ("True", "ProgressDeadlineExceeded")


def test_the_guide_speaks_of_every_condition() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "status.md").read_text()
    assert [kind.value for kind in ConditionType if f"`{kind.value}`" not in guide] == []
