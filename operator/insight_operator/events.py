"""Tells people of transitions by Events, once each: a repeated one counts up instead of piling up.

Only a condition that flips or changes its reason is told. An Event that cannot be written is logged and
forgotten: it must never hold up or fail a pass.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from insight_operator import naming
from insight_operator.cluster import kinds
from insight_operator.cluster.client import Client
from insight_operator.cluster.errors import AlreadyExists, ClusterError
from insight_operator.snapshot import Manifest

_TOLD = ("Ready", "Stalled", "Degraded")
_ABNORMAL = frozenset({"Stalled", "Degraded"})
# Ready is given up for as long as the user asked.
_ASKED_FOR = frozenset({"WaitingForApproval", "Planned", "Suspended"})
_NOTE_LIMIT = 1000
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Transition:
    """One thing to tell.

    Attributes:
        type: "Normal" or "Warning".
        reason: the condition's reason.
        note: the condition's message.
    """

    type: str
    reason: str
    note: str


def transitions(previous: Manifest, status: Manifest) -> tuple[Transition, ...]:
    """Return what changed between two statuses that a person wants to be told."""
    before = {condition["type"]: condition for condition in previous.get("conditions", ())}
    found = []
    for condition in status.get("conditions", ()):
        name, on = condition["type"], condition["status"] == "True"
        known = before.get(name, {})
        same = (known.get("status"), known.get("reason")) == (condition["status"], condition["reason"])
        if name not in _TOLD or same or (name in _ABNORMAL and not on):
            continue
        lost = known.get("status") == "True" and not on and condition["reason"] not in _ASKED_FOR
        kind = "Warning" if name in _ABNORMAL or lost else "Normal"
        found.append(Transition(kind, condition["reason"], condition["message"][:_NOTE_LIMIT]))
    return tuple({(told.type, told.reason): told for told in found}.values())


class Recorder:
    """Writes Events about InsightEngines."""

    def __init__(self, client: Client, now: Callable[[], datetime], reporter: str) -> None:
        self._client = client
        self._now = now
        self._reporter = reporter

    async def tell(self, resource: Manifest, told: Transition) -> None:
        """Write one Event, or count it up when the same was told before."""
        event = self._event(resource, told)
        try:
            await self._client.create(event)
        except AlreadyExists:
            await self._count(event)
        except ClusterError as error:
            _log.warning("Event not written", reason=told.reason, error=str(error))

    async def _count(self, event: Manifest) -> None:
        metadata = event["metadata"]
        try:
            known = await self._client.get(kinds.EVENT, metadata["namespace"], metadata["name"])
            told = ((known or {}).get("series") or {}).get("count", 1)
            series = {"count": told + 1, "lastObservedTime": event["eventTime"]}
            await self._client.patch(event, {"series": series, "note": event["note"]})
        except ClusterError as error:
            _log.warning("Event not counted", reason=event["reason"], error=str(error))

    def _event(self, resource: Manifest, told: Transition) -> Manifest:
        metadata = resource["metadata"]
        same = f"{metadata['uid']} {metadata.get('generation')} {told.type} {told.reason} {told.note}"
        return {
            "apiVersion": kinds.EVENT.api_version,
            "kind": kinds.EVENT.kind,
            "metadata": {
                "name": f"{metadata['name']}.{hashlib.sha256(same.encode()).hexdigest()[:16]}",
                "namespace": metadata["namespace"],
            },
            "eventTime": self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "type": told.type,
            "reason": told.reason,
            "action": "Reconcile",
            "note": told.note,
            "reportingController": f"{naming.GROUP}/operator",
            "reportingInstance": self._reporter[:128],
            "regarding": {
                "apiVersion": naming.API_VERSION,
                "kind": naming.KIND,
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
        }
