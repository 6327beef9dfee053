"""THE SPINE: observe → validate → credentials → plan → apply by stages → prune → derive → one status write.

Every pass starts from what exists and may be cut short after any write: the next one goes on from there.
Nothing is decided here that a pure module can decide, and nothing is remembered between passes.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from insight_operator import gates, naming
from insight_operator.cluster import errors, inventory, kinds, ownership
from insight_operator.cluster.apply import Applier
from insight_operator.cluster.client import STATUS_MANAGER, Client
from insight_operator.cluster.preview import preview
from insight_operator.cluster.store import Key
from insight_operator.desired import credentials
from insight_operator.desired.pinning import Decision, decide
from insight_operator.desired.plan import plan
from insight_operator.desired.records import outlived, renumbered, unrecorded
from insight_operator.desired.revisions import Held, held_back
from insight_operator.errors import OperatorError
from insight_operator.events import Recorder, transitions
from insight_operator.images import ImageSettings
from insight_operator.observe import Observer
from insight_operator.overlays import PodOverlays
from insight_operator.queue import Outcome, Verdict
from insight_operator.snapshot import Change, Manifest, Observed
from insight_operator.status.derive import derive
from insight_operator.status.migration import is_stale, is_unlike
from insight_operator.status.remarks import unexplained
from insight_operator.validate import ValidatedEngine, validate

PATIENCE_S = 10.0
"""When to look again at what is awaited: that a pod has not become ready for too long is no event."""
LONGEST_PATIENCE_S = 300.0
"""When to look again at the latest at what has been awaited for long: its cure is an event."""
LONGEST_WAIT_S = 900.0
"""When to look again for a maintenance window at the latest: clocks may be set meanwhile."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one pass is to bring about.

    Attributes:
        planned: every child, in apply order.
        held: the Deployments that stay as a person rolled them back.
        decision: what of the present rendering is planned, and what of it waits.
        changes: what would be changed, where that is only to be shown.
    """

    planned: tuple[Manifest, ...]
    held: tuple[Held, ...]
    decision: Decision
    changes: tuple[Change, ...] | None = None


NOTHING = Wanted((), (), Decision(()))


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Brings one InsightEngine to its spec.

    Attributes:
        client: how writes go out.
        observer: what exists.
        recorder: tells people of transitions.
        images: what is deployed and allowed.
        now: the time, for conditions.
        token: random bytes, for credentials.
        overlays: what the administrator lays over pod templates.
    """

    client: Client
    observer: Observer
    recorder: Recorder
    images: ImageSettings
    now: Callable[[], datetime]
    token: Callable[[int], bytes]
    overlays: PodOverlays = field(default_factory=dict)

    async def reconcile(self, key: Key) -> Outcome:
        """Do one pass. Raises OperatorError (after reporting it in the status) and ClusterError."""
        resource = self.observer.resource(key)
        if resource is None:
            self.observer.shelf.forget(key)
            return Outcome(Verdict.SETTLED)
        if is_new(resource):  # told at once that it was seen, however many wait
            await self._report(None, NOTHING, None, self.observer.seen(resource, {}))
            return Outcome(Verdict.NOTICED)
        try:
            observed = await self.observer.observe(resource)
        except OperatorError as refusal:  # no right to the Secrets: nothing more can be known
            await self._report(None, NOTHING, refusal, self.observer.seen(resource, {}))
            raise
        engine, wanted, error = None, NOTHING, None
        try:
            engine = validate(resource, observed.secrets, self.images, self.overlays)
            decision = decide(engine, plan(engine), observed, gates.proven(engine, observed), self.now())
            wanted = Wanted(*held_back(engine, decision.planned, observed), decision)
            if gates.planning(resource):
                wanted = replace(wanted, changes=await self._preview(engine, wanted.planned, observed))
            else:
                if begins(resource):
                    await self._report(engine, wanted, None, observed)
                if not gates.suspended(resource):
                    await self._converge(engine, wanted, observed)
        except OperatorError as refusal:
            error = refusal
        seen = self.observer.seen(resource, dict(observed.secrets))
        seen = replace(seen, remarks=await self.observer.remarks(unexplained(seen, self.now())))
        status = await self._report(engine, wanted, error, seen)
        if error is not None:
            raise error
        return outcome(status, seen, self.now(), wanted.decision.opens_in_s)

    async def _converge(self, engine: ValidatedEngine, wanted: Wanted, observed: Observed) -> None:
        """Write what differs, stage by stage while gates are open; then delete what is in no plan."""
        planned = wanted.planned
        stored = observed.children.get((kinds.CONFIG_MAP.kind, naming.child(engine, inventory.PART)))
        proofs = inventory.Inventory(stored)
        applier = Applier(self.client, engine, proofs, self._saw)
        try:
            await self._credentials(engine, applier)
            done = await self._stages(engine, applier, planned, observed)
            await self._record(engine, applier, wanted, observed)
            if done:
                await self._prune(engine, planned, observed)
                proofs.keep_only({_child_key(manifest) for manifest in planned})
        finally:
            await applier.store_inventory(stored)

    async def _credentials(self, engine: ValidatedEngine, applier: Applier) -> None:
        """Issue what is missing, keep it in the operator's own copy, and only then hand it out."""
        shelf, key = self.observer.shelf, (engine.namespace, engine.name)
        live = await shelf.read(key, credentials.names(engine))
        known = credentials.load(engine, ours(live, engine))
        claims = [] if credentials.complete(engine, known) else await self._claims(engine)
        credentials.guard(engine, known, claims)
        state = credentials.issue(engine, known, self.token, claims)
        own_copy, *copies = credentials.secrets(engine, state)
        name = own_copy["metadata"]["name"]
        if live.get(name) is None:
            try:
                await applier.create_only(own_copy)
            except errors.AlreadyExists as race:
                shelf.drop(engine.namespace, name)  # never issue twice: read what is there and begin again
                raise errors.Outdated(str(race)) from race
        else:
            await applier.ensure_secret(own_copy, live[name])
        await all_of(applier.ensure_secret(copy, live.get(copy["metadata"]["name"])) for copy in copies)

    async def _stages(
        self, engine: ValidatedEngine, applier: Applier, planned: tuple[Manifest, ...], observed: Observed
    ) -> bool:
        """Apply the stages whose gate is open; tell whether that was all of them."""
        for stage in kinds.STAGES:
            wanted = [manifest for manifest in planned if kinds.BY_KIND[manifest["kind"]].stage == stage]
            if stage == kinds.JOB.stage and is_stale(engine, planned, observed):
                await all_of(self.client.delete(live) for job in wanted if (live := self._live(job)))
                return False
            if not gates.is_open(stage, engine, planned, observed):
                return False
            # Looked up once: a Job that succeeded and is cleared away between two looks would be run again.
            found = [(manifest, self._live(manifest)) for manifest in wanted]
            if stage == kinds.JOB.stage and gates.migrated(engine, planned, observed):
                found = [(job, live) for job, live in found if live and not is_unlike(job, live)]
            await all_of(applier.ensure(manifest, live) for manifest, live in found)
        return True

    async def _preview(
        self, engine: ValidatedEngine, planned: tuple[Manifest, ...], observed: Observed
    ) -> tuple[Change, ...]:
        """Return what a pass would change, in order; nothing is stored."""
        stored = observed.children.get((kinds.CONFIG_MAP.kind, naming.child(engine, inventory.PART)))
        proofs, migrated = inventory.Inventory(stored), gates.migrated(engine, planned, observed)
        found = []
        for manifest in planned:
            live = self._live(manifest)
            done = migrated and manifest["kind"] == kinds.JOB.kind
            if done or (live is not None and proofs.proves(manifest, inventory.fingerprint(live))):
                continue
            found.append(await preview(self.client, manifest, live))
        going = [
            Change(f"{orphan['kind']}/{orphan['metadata']['name']}", "delete")
            for orphan in gates.orphans(engine, planned, observed)
            if orphan["kind"] != kinds.CONFIG_MAP.kind  # kept while a rollback could need it
        ]
        return (*(change for change in found if change is not None), *going)

    async def _record(
        self, engine: ValidatedEngine, applier: Applier, wanted: Wanted, observed: Observed
    ) -> None:
        """Remember what was rolled out, after it was: so that only a person's undo looks like one."""
        children = self.observer.seen(observed.resource, {}).children
        held, decision = {one.deployment for one in wanted.held}, wanted.decision
        for revision in unrecorded(engine, decision.planned, held, children, decision.causes):
            live = self._live(revision)
            if live is None:
                await applier.create_only(revision)
            else:  # its data can never be written again, not even with the same
                self._saw(await self.client.patch(live, renumbered(revision)))
        await all_of(self.client.delete(revision) for revision in outlived(engine, children))

    async def _prune(
        self, engine: ValidatedEngine, planned: tuple[Manifest, ...], observed: Observed
    ) -> None:
        orphans = gates.orphans(engine, planned, observed)
        if any(orphan["kind"] == kinds.CONFIG_MAP.kind for orphan in orphans):
            selector = f"{naming.ENGINE_LABEL}={engine.name}"
            listing = await self.client.list_all(kinds.REPLICA_SET, engine.namespace, selector)
            orphans = gates.unused(orphans, (*listing.items, *observed.pods))
        await all_of(self.client.delete(orphan) for orphan in orphans)

    async def _claims(self, engine: ValidatedEngine) -> list[str]:
        names = [naming.claim(engine, part) for part in (naming.POSTGRES, naming.REDIS)]
        found = [await self.client.get(kinds.VOLUME_CLAIM, engine.namespace, name) for name in names]
        for claim in found:
            if claim and ownership.is_leftover(claim, engine) and not ownership.is_ours(claim, engine):
                title = f"PersistentVolumeClaim/{claim['metadata']['name']}"
                raise errors.LeftoverError(f"{title} of a deleted InsightEngine is still being collected.")
        return [name for name, claim in zip(names, found, strict=True) if claim is not None]

    async def _report(
        self,
        engine: ValidatedEngine | None,
        wanted: Wanted,
        error: OperatorError | None,
        observed: Observed,
    ) -> Manifest:
        """Write the status if it changed, and tell of the transitions; return it."""
        resource = observed.resource
        previous = resource.get("status") or {}
        status = derive(
            engine,
            error,
            observed,
            previous,
            self.now(),
            wanted.planned if engine else None,
            wanted.held,
            wanted.changes,
            wanted.decision.pending,
        )
        if status == previous:
            return status
        metadata = {key: resource["metadata"][key] for key in ("name", "namespace", "uid")}
        intent = {key: resource[key] for key in ("apiVersion", "kind")} | {
            "metadata": metadata,
            "status": status,
        }
        self._saw(await self.client.apply(intent, STATUS_MANAGER, "status"))
        for told in transitions(previous, status):
            await self.recorder.tell(resource, told)
        return status

    def _live(self, manifest: Manifest) -> Manifest | None:
        metadata = manifest["metadata"]
        return self.observer.store.get(manifest["kind"], metadata["namespace"], metadata["name"])

    def _saw(self, manifest: Manifest) -> None:
        if manifest["kind"] == kinds.SECRET.kind:
            self.observer.shelf.put(manifest)
        else:
            self.observer.store.put(manifest)


def outcome(status: Manifest, observed: Observed, now: datetime, opens_in_s: float | None = None) -> Outcome:
    """Return what a pass that ended with this status means for the next one.

    Nothing watches Events, nor tells when a maintenance window opens: what rests on them is looked at again,
    the more rarely the longer nothing has moved.
    """
    if observed.remarks or not gates.at_rest(status):
        moved = [item.get("lastTransitionTime") for item in status.get("conditions", ())]
        moved += [pod["metadata"].get("creationTimestamp") for pod in observed.pods]
        times = [datetime.fromisoformat(time) for time in moved if time]
        quiet_s = (now - max(times)).total_seconds() if times else 0.0
        return Outcome(Verdict.WAITING, min(max(quiet_s / 10, PATIENCE_S), LONGEST_PATIENCE_S))
    return Outcome(Verdict.SETTLED, None if opens_in_s is None else min(opens_in_s + 1, LONGEST_WAIT_S))


def is_new(resource: Manifest) -> bool:
    """Tell whether nobody has judged the resource yet; its status may have a default all the same."""
    return not (resource.get("status") or {}).get("conditions")


def begins(resource: Manifest) -> bool:
    """Tell whether the present generation has not been taken up yet."""
    observed = (resource.get("status") or {}).get("observedGeneration")
    return bool(observed != resource["metadata"].get("generation"))


def ours(live: Mapping[str, Manifest | None], engine: naming.Named) -> dict[str, Manifest | None]:
    """Return the Secrets with None for what is somebody else's: its values are never taken up."""
    return {
        name: secret if secret and ownership.is_ours(secret, engine) else None
        for name, secret in live.items()
    }


async def all_of(writes: Iterable[Coroutine[Any, Any, Any]]) -> None:
    """Let all writes finish, then raise the first error: one refused child does not hold up the others."""
    ended = await asyncio.gather(*writes, return_exceptions=True)
    for outcome in ended:
        if isinstance(outcome, BaseException):
            raise outcome


def _child_key(manifest: Manifest) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]
