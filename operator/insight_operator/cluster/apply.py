"""Brings single children to their intent with few requests, and never touches what is not ours.

Creating is a plain create, so that an object somebody else put there in the meantime makes it fail rather
than be overwritten; changing is server-side apply. What is proven equal costs nothing.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping

from insight_operator.cluster import errors, kinds, ownership
from insight_operator.cluster.client import Client
from insight_operator.cluster.inventory import Inventory, fingerprint
from insight_operator.errors import Conflict, InvalidSpec, QuotaExceeded, WriteForbidden
from insight_operator.naming import ADOPT, Named
from insight_operator.snapshot import Manifest

_TRIES = 5
_DENIED = ("denied request", "denied the request")


class Applier:
    """Writes the children of one InsightEngine during one pass. `on_change` gets what each write returned."""

    def __init__(
        self, client: Client, engine: Named, inventory: Inventory, on_change: Callable[[Manifest], None]
    ) -> None:
        self._client = client
        self._engine = engine
        self._inventory = inventory
        self._on_change = on_change

    async def ensure(self, desired: Manifest, live: Manifest | None) -> None:
        """Make the live object what `desired` says; no request when the inventory proves that it is.

        Raises:
            Conflict: somebody else's object has this name; it is left untouched.
            InvalidSpec: the API server refuses it, such as a change of what cannot change.
            QuotaExceeded: the namespace's quota refuses it.
            WriteForbidden: the operator's rights or an admission policy refuse it.
            LeftoverError: a deleted InsightEngine's child of this name is still being collected.
        """
        if live is not None and self._inventory.proves(desired, fingerprint(live)):
            return
        if live is not None and live["metadata"].get("deletionTimestamp"):
            return  # nothing can be done before it is gone, and that will be an event
        written = await self.write(desired, live)
        self._inventory.record(desired, fingerprint(written))

    async def ensure_secret(self, desired: Manifest, live: Manifest | None) -> None:
        """Like `ensure` for a Secret: compared value by value, so that no hash of a credential is stored."""
        if live is None or not holds(live, desired):
            await self.write(desired, live)

    async def write(self, desired: Manifest, live: Manifest | None) -> Manifest:
        """Create or apply, and return the object as the API server then shows it. Raises as `ensure`."""
        with _told(desired):
            written = await self._create(desired) if live is None else await self._update(desired, live)
        self._on_change(written)
        return written

    async def store_inventory(self, stored: Manifest | None) -> None:
        """Keep the inventory if it changed. Only we write it, so there is nothing to take over."""
        if not self._inventory.changed:
            return
        intent = self._inventory.manifest(self._engine)
        if stored is None:
            await self.write(intent, None)
        else:
            self._check(intent, stored)
            with _told(intent):
                written = await self._client.apply(intent)
            self._on_change(written)

    async def create_only(self, desired: Manifest) -> Manifest:
        """Create and nothing else. Raises AlreadyExists when there is one, else as `write`."""
        with _told(desired):
            created = await self._client.create(desired)
        self._on_change(created)
        return created

    async def _create(self, desired: Manifest) -> Manifest:
        try:
            return await self._client.create(desired)
        except errors.AlreadyExists:
            metadata = desired["metadata"]
            kind = kinds.BY_KIND[desired["kind"]]
            live = await self._client.get(kind, metadata["namespace"], metadata["name"])
            if live is None:
                raise errors.Outdated(f"{_title(desired)} came and went.") from None
            return await self._update(desired, live)

    async def _update(self, desired: Manifest, live: Manifest) -> Manifest:
        """Take over what strangers hold of our fields, apply, and look whether one came in between."""
        self._check(desired, live)
        kind = kinds.BY_KIND[desired["kind"]]
        shared = live["metadata"].get("managedFields") != []  # the store leaves [] where nobody shares
        for _ in range(_TRIES):
            if shared:
                await self._take_over(desired)
            written = await self._client.apply(desired)
            shared = ownership.is_shared(written, kind)
            if not shared:
                return written
        raise errors.Outdated(f"{_title(desired)} changes too fast to be taken over.")

    async def _take_over(self, desired: Manifest) -> None:
        kind, metadata = kinds.BY_KIND[desired["kind"]], desired["metadata"]
        fresh = await self._client.get(kind, metadata["namespace"], metadata["name"])
        if fresh is None:
            return
        self._check(desired, fresh)
        if ownership.is_shared(fresh, kind):
            # Controllers write meanwhile; the answer to the next apply tells whether another try is needed.
            with contextlib.suppress(errors.Outdated):
                await self._client.patch(fresh, _claims(fresh, kind))

    def _check(self, desired: Manifest, live: Manifest) -> None:
        if ownership.is_ours(live, self._engine):
            return
        if ownership.is_leftover(live, self._engine):
            raise errors.LeftoverError(
                f"{_title(desired)} of a deleted InsightEngine is still being collected."
            )
        if other := ownership.engine_of(live):
            raise Conflict(
                _title(desired),
                f"the InsightEngine {other} has an object of this name. The names of the two collide: "
                f"create this one again under another name",
            )
        raise Conflict(
            _title(desired),
            f"an object of this name exists and is not this InsightEngine's. Delete or rename it, "
            f"or hand it over with the annotation {ADOPT}={self._engine.name}",
        )


@contextlib.contextmanager
def _told(desired: Manifest) -> Iterator[None]:
    """Turn what the API server says about a write into what a person must know of it."""
    try:
        yield
    except errors.Refused as refusal:
        if any(word in str(refusal) for word in _DENIED):  # a policy may answer 422, as it likes
            raise WriteForbidden(_title(desired), _forbidden(refusal)) from refusal
        raise InvalidSpec(_title(desired), f"the API server refuses it: {refusal}") from refusal
    except errors.Forbidden as refusal:
        if "exceeded quota" in str(refusal):
            raise QuotaExceeded(_title(desired), f"{refusal}. Raise the quota or ask for less.") from refusal
        raise WriteForbidden(_title(desired), _forbidden(refusal)) from refusal


def _forbidden(refusal: Exception) -> str:
    cure = "Give the operator that right, or change the policy that refuses."
    return f"the API server forbids it: {refusal}. {cure}"


def holds(live: Manifest, desired: Manifest) -> bool:
    """Tell whether a live Secret has exactly the desired entries and owner, and the labels."""
    shown, wanted = live["metadata"], desired["metadata"]
    return (
        live.get("data") == desired.get("data")
        and live.get("type") == desired.get("type", "Opaque")
        and live.get("immutable") == desired.get("immutable")
        and (shown.get("ownerReferences") or []) == (wanted.get("ownerReferences") or [])
        and _includes(shown.get("labels"), wanted.get("labels"))
        and _includes(shown.get("annotations"), wanted.get("annotations"))
    )


def _includes(shown: Mapping[str, str] | None, wanted: Mapping[str, str] | None) -> bool:
    return (wanted or {}).items() <= (shown or {}).items()


def _claims(live: Manifest, kind: kinds.Kind) -> list[Manifest]:
    # The version of the object goes along, so that nobody's later write is judged by what was read before it.
    return [
        {"op": "replace", "path": "/metadata/managedFields", "value": ownership.absorbed(live, kind)},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
    ]


def _title(manifest: Manifest) -> str:
    return f"{manifest['kind']}/{manifest['metadata']['name']}"
