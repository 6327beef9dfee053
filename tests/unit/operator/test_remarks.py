"""What Events say is taken in the order in which it was last said, and never holds anything up."""

from typing import Any

from insight_operator.cluster import errors
from insight_operator.cluster.client import Client, Listing
from insight_operator.observe import Observer
from insight_operator.snapshot import Manifest, Remark

SET: Manifest = {"kind": "StatefulSet", "metadata": {"name": "x", "namespace": "n", "uid": "this"}}
OTHER: Manifest = {"kind": "Job", "metadata": {"name": "y", "namespace": "n", "uid": "that"}}


def event(about: Manifest, version: str, reason: str, uid: str = "") -> Manifest:
    metadata = about["metadata"]
    regarding = {"kind": about["kind"], "name": metadata["name"], "uid": uid or metadata["uid"]}
    told = {"regarding": regarding, "reason": reason, "note": f"note {version}"}
    return {"metadata": {"resourceVersion": version}, **told}


class FakeClient(Client):
    """Answers with the Events of an object by its name; one without any cannot be read."""

    def __init__(self, events: dict[str, list[Manifest]]) -> None:
        self.events = events

    async def events_about(self, manifest: dict[str, Any]) -> Listing:
        name = manifest["metadata"]["name"]
        if name not in self.events:
            raise errors.Forbidden("no", 403)
        return Listing(tuple(self.events[name]), 0)


async def test_what_was_said_last_comes_last_and_another_objects_words_do_not_count() -> None:
    said = [
        event(SET, "10", "Later"),
        event(SET, "9", "Earlier"),
        event(SET, "11", "Old", uid="an earlier x"),
    ]
    found = await Observer(FakeClient({"x": said}), ("n",)).remarks((SET,))
    assert found == (
        Remark("StatefulSet", "x", "Earlier", "note 9"),
        Remark("StatefulSet", "x", "Later", "note 10"),
    )


async def test_events_that_may_not_be_read_are_done_without() -> None:
    found = await Observer(FakeClient({"y": [event(OTHER, "1", "Said")]}), ("n",)).remarks((SET, OTHER))
    assert [remark.name for remark in found] == ["y"]
