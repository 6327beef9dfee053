"""Events tell of transitions, each once."""

from datetime import UTC, datetime
from typing import Any

import pytest

from insight_operator.cluster import errors
from insight_operator.cluster.client import Client
from insight_operator.events import Recorder, Transition, transitions
from support.objects import engine


def status(name: str, value: str, reason: str, message: str = "said") -> dict[str, Any]:
    return {"conditions": [{"type": name, "status": value, "reason": reason, "message": message}]}


def test_becoming_ready_is_told() -> None:
    told = transitions(status("Ready", "False", "RollingOut"), status("Ready", "True", "AllComponentsReady"))
    assert told == (Transition("Normal", "AllComponentsReady", "said"),)


def test_ceasing_to_be_ready_is_a_warning() -> None:
    told = transitions(status("Ready", "True", "AllComponentsReady"), status("Ready", "False", "RollingOut"))
    assert [item.type for item in told] == ["Warning"]


@pytest.mark.parametrize("reason", ["WaitingForApproval", "Planned", "Suspended"])
def test_what_the_user_asked_for_is_no_warning(reason: str) -> None:
    told = transitions(status("Ready", "True", "AllComponentsReady"), status("Ready", "False", reason))
    assert told == (Transition("Normal", reason, "said"),)


def test_another_message_alone_is_not_told() -> None:
    before, after = (status("Ready", "False", "RollingOut", text) for text in ("1 of 2", "2 of 2"))
    assert transitions(before, after) == ()


def test_stalling_is_a_warning() -> None:
    told = transitions({}, status("Stalled", "True", "Conflict"))
    assert told == (Transition("Warning", "Conflict", "said"),)


def test_no_longer_being_stalled_is_left_to_ready() -> None:
    assert transitions(status("Stalled", "True", "Conflict"), status("Stalled", "False", "Fine")) == ()


def test_component_conditions_are_not_told() -> None:
    assert transitions({}, status("BrokerReady", "True", "Fine")) == ()


class FakeClient(Client):
    """Knows the names of the Events it was given; `away` makes every write fail."""

    def __init__(self, *, away: bool = False) -> None:
        self.created: list[dict[str, Any]] = []
        self.patched: list[dict[str, Any]] = []
        self.away = away

    async def create(self, manifest: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        if self.away:
            raise errors.Unreachable("away")
        if any(known["metadata"]["name"] == manifest["metadata"]["name"] for known in self.created):
            raise errors.AlreadyExists("there", 409)
        self.created.append(manifest)
        return manifest

    async def patch(self, manifest: dict[str, Any], changes: Any) -> dict[str, Any]:
        self.patched.append(changes)
        return manifest

    async def get(self, _kind: Any, _namespace: str, name: str, *, cached: bool = False) -> dict[str, Any]:
        assert not cached
        known = next(known for known in self.created if known["metadata"]["name"] == name)
        return known | {"series": self.patched[-1]["series"] if self.patched else None}


def recorder(client: Client) -> Recorder:
    return Recorder(client, lambda: datetime(2026, 1, 1, tzinfo=UTC), "pod-1")


async def test_the_same_told_twice_is_one_event_counted_up() -> None:
    client = FakeClient()
    for _ in range(3):
        await recorder(client).tell(engine(), Transition("Normal", "RollingOut", "said"))
    assert len(client.created) == 1
    assert [patch["series"]["count"] for patch in client.patched] == [2, 3]


async def test_an_event_that_cannot_be_written_fails_nothing() -> None:
    await recorder(FakeClient(away=True)).tell(engine(), Transition("Normal", "RollingOut", "said"))
