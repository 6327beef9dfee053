"""The Secrets the operator makes: what they hold and how they are made once. Pure: chance is an argument.

The stored copy (`<cr>-state`) is written before any copy that a pod mounts, so that a crash in between cannot
produce a second password. A value once issued never changes here.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from insight_operator.snapshot import Manifest
from insight_operator.validate import ValidatedEngine


@dataclass(frozen=True, slots=True)
class CredentialState:
    """The operator's own copy of every credential set.

    Attributes:
        sets: set name (`database`, `broker`, …) → entry → value, for the sets issued so far.
    """

    sets: Mapping[str, Mapping[str, str]]


def names(engine: ValidatedEngine) -> tuple[str, ...]:
    """Return the names of the Secrets that `secrets` makes, the stored copy first: what a resync reads by name."""
    raise NotImplementedError(engine)


def load(engine: ValidatedEngine, live: Mapping[str, Manifest | None]) -> CredentialState | None:
    """Read the state back from live Secrets by name: the stored copy, or what it lacks from the mounted ones."""
    raise NotImplementedError(engine, live)


def guard(engine: ValidatedEngine, state: CredentialState | None, claims: Iterable[str]) -> None:
    """Refuse to issue what an existing volume already knows.

    Args:
        engine: whose credentials they are.
        state: what `load` found.
        claims: names of the PersistentVolumeClaims that exist.

    Raises:
        InvalidReference: a credential is lost while a volume that only opens with it exists.
    """
    raise NotImplementedError(engine, state, claims)


def issue(
    engine: ValidatedEngine, state: CredentialState | None, token: Callable[[int], bytes]
) -> CredentialState:
    """Return the state with every set the engine needs; sets that `state` has are kept as they are."""
    raise NotImplementedError(engine, state, token)


def secrets(engine: ValidatedEngine, state: CredentialState) -> tuple[Manifest, ...]:
    """Return the Secrets to apply, the stored copy first."""
    raise NotImplementedError(engine, state)
