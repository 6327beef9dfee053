"""The Secrets the operator makes: what they hold and how they are made once. Pure: chance is an argument.

The stored copy (`<cr>-state`) is written before any copy that a pod mounts, so that a crash in between
cannot produce a second password. A value once issued never changes here; a lost copy is restored from the
other.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from insight_operator import naming
from insight_operator.desired.objects import kept
from insight_operator.desired.postgres import SUPERUSER
from insight_operator.desired.redis import ADMIN as BROKER_ADMIN
from insight_operator.desired.redis import USER as BROKER_USER
from insight_operator.errors import InvalidReference
from insight_operator.snapshot import Manifest
from insight_operator.validate import ValidatedEngine

Token = Callable[[int], bytes]
CredentialSet = Mapping[str, str]

STATE = "state"
STATE_KEY = "state.json"
CHECKSUM_KEY = "checksum"
APP_DATABASE = "insight"
APP_LOGIN = "ie_app_a"
BOOTSTRAP = "admin"
BOOTSTRAP_USER = "admin"
KEYSET_FILE = "keyset.json"
_PASSWORD_BYTES = 24
_KEY_ID_BYTES = 9
_SIGNING_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class CredentialState:
    """The operator's own copy of every credential set.

    Attributes:
        sets: Secret name without the instance's prefix (`database`, `broker`, …) → entry → value.
    """

    sets: Mapping[str, CredentialSet]

    def __repr__(self) -> str:
        """Return the names only, so that no log or traceback can show a value."""
        return f"CredentialState({', '.join(self.sets)})"


def names(engine: ValidatedEngine) -> tuple[str, ...]:
    """Return the names of the Secrets that `secrets` makes, the stored copy first."""
    return tuple(naming.child(engine, name) for name in (STATE, *_makers(engine)))


def load(engine: ValidatedEngine, live: Mapping[str, Manifest | None]) -> CredentialState | None:
    """Read the state back from live Secrets by name: the stored copy, what it lacks from the mounted ones."""
    sets: dict[str, CredentialSet] = {}
    for name in _makers(engine):
        mounted = entries(live.get(naming.child(engine, name)))
        if set(mounted) >= _entries_of(name):
            sets[name] = {entry: mounted[entry] for entry in sorted(_entries_of(name))}
    sets |= _stored(entries(live.get(naming.child(engine, STATE))))
    return CredentialState(sets) if sets else None


def guard(engine: ValidatedEngine, state: CredentialState | None, claims: Iterable[str]) -> None:
    """Refuse to issue what an existing volume already knows.

    Args:
        engine: whose credentials they are.
        state: what `load` found.
        claims: names of the PersistentVolumeClaims that exist.

    Raises:
        InvalidReference: a credential is lost while a volume that only opens with it exists.
    """
    existing = set(claims)
    held = set(state.sets) if state else set()
    for part, field, needed in (
        (naming.POSTGRES, "spec.database.managed", ("database", "database-admin")),
        (naming.REDIS, "spec.broker.managed", ("broker", "broker-admin")),
    ):
        lost = [name for name in needed if name in _makers(engine) and name not in held]
        if naming.claim(engine, part) in existing and lost:
            secrets = ", ".join(naming.child(engine, name) for name in lost)
            raise InvalidReference(
                field,
                f"the volume {naming.claim(engine, part)} exists but the credentials it was made with are "
                f"lost: restore the Secret {naming.child(engine, STATE)} or {secrets} from a backup, "
                "or delete the volume to start empty",
            )


def complete(engine: ValidatedEngine, state: CredentialState | None) -> bool:
    """Tell whether the state holds every set the engine needs."""
    return state is not None and set(_makers(engine)) <= set(state.sets)


def issue(
    engine: ValidatedEngine, state: CredentialState | None, token: Token, claims: Iterable[str] = ()
) -> CredentialState:
    """Return the state with every set the engine needs; sets that `state` has are kept as they are.

    A database that exists (its volume is among `claims`) already has its administrator: the password of a new
    bootstrap one would open nothing, so none is issued.
    """
    held = dict(state.sets) if state else {}
    founded = engine.spec.database.managed is not None and naming.claim(engine, naming.POSTGRES) in set(
        claims
    )
    for name, make in _makers(engine).items():
        if name not in held and not (name == BOOTSTRAP and founded):
            held[name] = make(engine, token)
    return CredentialState(held)


def secrets(engine: ValidatedEngine, state: CredentialState) -> tuple[Manifest, ...]:
    """Return the Secrets to apply, the stored copy first."""
    versions = {name: {"current": state.sets[name]} for name in sorted(state.sets)}
    # Sorted: a copy rebuilt from the mounted Secrets is the same to the byte as the one that was lost.
    text = json.dumps({"version": 1, "sets": versions}, sort_keys=True)
    stored = _secret(engine, STATE, {STATE_KEY: text, CHECKSUM_KEY: _checksum(text)})
    return (
        stored,
        *(_secret(engine, name, state.sets[name]) for name in _makers(engine) if name in state.sets),
    )


def _password(token: Token) -> str:
    return base64.urlsafe_b64encode(token(_PASSWORD_BYTES)).decode().rstrip("=")


def _database_login(engine: ValidatedEngine, token: Token, database: str, username: str) -> CredentialSet:
    return {
        "host": f"{naming.child(engine, naming.POSTGRES)}.{engine.namespace}.svc",
        "port": str(naming.POSTGRES_PORT),
        "dbname": database,
        "username": username,
        "password": _password(token),
    }


def _database(engine: ValidatedEngine, token: Token) -> CredentialSet:
    return _database_login(engine, token, APP_DATABASE, APP_LOGIN)


def _database_admin(engine: ValidatedEngine, token: Token) -> CredentialSet:
    return _database_login(engine, token, SUPERUSER, SUPERUSER)


def _broker_login(engine: ValidatedEngine, token: Token, username: str) -> CredentialSet:
    return {
        "host": f"{naming.child(engine, naming.REDIS)}.{engine.namespace}.svc",
        "port": str(naming.REDIS_PORT),
        "username": username,
        "password": _password(token),
    }


def _broker(engine: ValidatedEngine, token: Token) -> CredentialSet:
    return _broker_login(engine, token, BROKER_USER)


def _broker_admin(engine: ValidatedEngine, token: Token) -> CredentialSet:
    return _broker_login(engine, token, BROKER_ADMIN)


def _admin(_engine: ValidatedEngine, token: Token) -> CredentialSet:
    return {"username": BOOTSTRAP_USER, "password": _password(token)}


def _jwt(_engine: ValidatedEngine, token: Token) -> CredentialSet:
    key_id = base64.urlsafe_b64encode(token(_KEY_ID_BYTES)).decode()
    secret = base64.urlsafe_b64encode(token(_SIGNING_KEY_BYTES)).decode().rstrip("=")
    key = {"kid": key_id, "alg": "HS256", "secret": secret}
    return {KEYSET_FILE: json.dumps({"signing": key_id, "keys": [key]})}


Maker = Callable[[ValidatedEngine, Token], CredentialSet]


def _makers(engine: ValidatedEngine) -> dict[str, Maker]:
    """Return what makes each set the engine needs; sets that a user gives are not among them."""
    makers: dict[str, Maker] = {"jwt": _jwt}
    if engine.spec.database.managed:
        makers |= {"database": _database, "database-admin": _database_admin}
    if engine.spec.broker.managed:
        makers |= {"broker": _broker, "broker-admin": _broker_admin}
    if engine.spec.auth.bootstrap_admin is None:
        makers[BOOTSTRAP] = _admin
    return dict(sorted(makers.items()))


def _entries_of(name: str) -> set[str]:
    if name == "jwt":
        return {KEYSET_FILE}
    login = {"username", "password"}
    if name == BOOTSTRAP:
        return login
    address = {"host", "port"} | ({"dbname"} if name.startswith("database") else set())
    return login | address


def _secret(engine: ValidatedEngine, name: str, values: CredentialSet) -> Manifest:
    return kept(engine, "v1", "Secret", name) | {
        "type": "Opaque",
        "data": {entry: base64.b64encode(value.encode()).decode() for entry, value in sorted(values.items())},
    }


def entries(secret: Manifest | None) -> dict[str, str]:
    """Return the decoded entries of a Secret; none when it is absent or was damaged by hand."""
    data: dict[str, Any] = (secret or {}).get("data") or {}
    try:
        return {entry: base64.b64decode(value, validate=True).decode() for entry, value in data.items()}
    except (binascii.Error, UnicodeDecodeError, TypeError):
        return {}


def _stored(entries: Mapping[str, str]) -> dict[str, CredentialSet]:
    """Return the sets of the stored copy; none when checksum or shape tell that somebody edited it."""
    text = entries.get(STATE_KEY, "")
    if not hmac.compare_digest(_checksum(text).encode(), entries.get(CHECKSUM_KEY, "").encode()):
        return {}
    try:
        stored = json.loads(text)["sets"].items()
        sets: dict[str, CredentialSet] = {name: dict(versions["current"]) for name, versions in stored}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
    return sets if all(_usable(name, values) for name, values in sets.items()) else {}


def _usable(name: str, values: CredentialSet) -> bool:
    return set(values) >= _entries_of(name) and all(isinstance(value, str) for value in values.values())


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
