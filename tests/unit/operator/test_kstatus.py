"""What waits for an InsightEngine takes it for what it is, at every step of its life."""

import copy
from collections.abc import Callable, Iterator

import pytest

from insight_operator.crd.manifest import custom_resource_definition
from insight_operator.errors import InvalidReference
from insight_operator.snapshot import ChildKey, Manifest
from support.kstatus import Status, kstatus
from support.worlds import API, JOB, POSTGRES, WORKER, World, answers

Step = tuple[str, World, Manifest, Status]


class Walk:
    """A life, step by step; each starts from the status of the one before."""

    def __init__(self) -> None:
        self.world = World()
        self.whole = dict(self.world.children)
        self.status: Manifest = {}

    def step(self, told: str, expected: Status, error: InvalidReference | None = None) -> Step:
        """Derive the status of the world as it is now."""
        self.status = self.world.status(self.status, error=error)
        return told, self.world, self.status, expected

    def only_without(self, *absent: ChildKey) -> None:
        """Let all children exist but these."""
        self.world.children = {key: child for key, child in self.whole.items() if key not in absent}


def life() -> Iterator[Step]:
    walk = Walk()
    yield from birth(walk)
    yield from loss(walk)
    yield from change(walk)
    yield from end(walk)


def birth(walk: Walk) -> Iterator[Step]:
    world = walk.world
    world.children = {}
    yield walk.step("nothing is there yet", Status.IN_PROGRESS)
    walk.only_without(API, WORKER, JOB)
    world.count(POSTGRES, 0)
    yield walk.step("the database starts", Status.IN_PROGRESS)
    world.count(POSTGRES, 1)
    walk.only_without(API, WORKER)
    done, world.children[JOB]["status"] = world.children[JOB]["status"], {"active": 1}
    yield walk.step("the database is migrated", Status.IN_PROGRESS)
    world.children[JOB]["status"] = done
    walk.only_without()
    world.count(API, 1)
    yield walk.step("pods start", Status.IN_PROGRESS)
    world.count(API, 2)
    yield walk.step("everything runs", Status.CURRENT)


def loss(walk: Walk) -> Iterator[Step]:
    world = walk.world
    world.count(WORKER, 1)
    yield walk.step("a pod is lost", Status.CURRENT)
    world.count(API, 0)
    yield walk.step("every API pod is lost", Status.IN_PROGRESS)
    yield walk.step("they still are", Status.IN_PROGRESS)
    world.count(API, 2)
    world.count(WORKER, 2)
    yield walk.step("it has recovered", Status.CURRENT)


def change(walk: Walk) -> Iterator[Step]:
    world = walk.world
    world.resource["metadata"]["generation"] = 2
    world.children[API]["metadata"]["annotations"] = {}
    yield walk.step("another spec is begun", Status.IN_PROGRESS)
    yield walk.step("its Secret is missing", Status.FAILED, InvalidReference("spec.x", "is absent"))
    yield walk.step("the Secret appears", Status.IN_PROGRESS)
    world.children = World().children
    world.count(API, 2, updatedReplicas=1, replicas=3)
    yield walk.step("older pods are replaced", Status.IN_PROGRESS)
    world.stuck(API, image="x", state={"waiting": {"reason": "ImagePullBackOff"}})
    yield walk.step("the image cannot be pulled", Status.FAILED)
    world.pods.clear()
    world.count(API, 2)
    yield walk.step("now it can", Status.CURRENT)


def end(walk: Walk) -> Iterator[Step]:
    world = walk.world
    world.resource["spec"]["suspend"] = True
    world.resource["metadata"]["generation"] = 3
    yield walk.step("suspended, and whole", Status.CURRENT)
    world.children[API]["metadata"]["annotations"] = {}
    world.resource["metadata"]["generation"] = 4
    yield walk.step("suspended, and another spec", Status.IN_PROGRESS)
    world.resource["metadata"]["deletionTimestamp"] = "2026-01-02T03:04:05Z"
    yield walk.step("deleted", Status.TERMINATING)


def test_every_step_of_a_life_reads_as_what_it_is() -> None:
    for told, world, status, expected in life():
        shown = {"metadata": world.resource["metadata"], "status": copy.deepcopy(status)}
        assert kstatus(shown) is expected, (told, answers(status))


def test_a_generation_that_was_not_seen_is_in_progress() -> None:
    world = World()
    status = world.status()
    world.resource["metadata"]["generation"] += 1
    assert kstatus(world.resource | {"status": status}) is Status.IN_PROGRESS


def test_a_resource_that_no_operator_has_seen_is_in_progress() -> None:
    schema = custom_resource_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    blank = World().resource | {"status": schema["properties"]["status"]["default"]}
    assert kstatus(blank) is Status.IN_PROGRESS


def _both(status: Manifest) -> bool:
    told = answers(status)
    return told["Reconciling"][0] == told["Stalled"][0] == "True"


def _ready_and_abnormal(status: Manifest) -> bool:
    told = answers(status)
    return told["Ready"][0] == "True" and "True" in {told["Reconciling"][0], told["Stalled"][0]}


@pytest.mark.parametrize("contradiction", [_both, _ready_and_abnormal], ids=lambda one: one.__name__)
def test_the_conditions_never_contradict_each_other(contradiction: Callable[[Manifest], bool]) -> None:
    assert [told for told, _, status, _ in life() if contradiction(status)] == []
