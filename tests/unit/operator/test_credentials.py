"""Credentials are issued once, kept twice, and never made anew while something knows the old ones."""

import base64
import copy
import hashlib
import json

import pytest

from insight_operator.desired import credentials
from insight_operator.desired.credentials import CredentialState
from insight_operator.desired.plan import plan
from insight_operator.errors import InvalidReference
from insight_operator.snapshot import Manifest
from support.bad_engines import EXTERNAL
from support.manifests import counting_token, validated

ENGINE = validated()
BOOTSTRAP = {"auth": {"bootstrapAdmin": {"secretRef": {"name": "boss"}}}}
Live = dict[str, Manifest | None]


def _issued() -> CredentialState:
    return credentials.issue(ENGINE, None, counting_token())


def _live(state: CredentialState) -> Live:
    return {
        secret["metadata"]["name"]: secret for secret in copy.deepcopy(credentials.secrets(ENGINE, state))
    }


def _never(size: int) -> bytes:
    raise AssertionError(f"{size} bytes of chance were asked for")


def test_the_stored_copy_is_written_first() -> None:
    made = [secret["metadata"]["name"] for secret in credentials.secrets(ENGINE, _issued())]
    assert made[0] == "vanna-state"
    assert made == list(credentials.names(ENGINE))


def test_a_full_state_is_never_added_to() -> None:
    assert credentials.issue(ENGINE, _issued(), _never) == _issued()


def test_what_is_written_reads_back_the_same() -> None:
    assert credentials.load(ENGINE, _live(_issued())) == _issued()


def test_secrets_of_the_same_state_are_the_same_bytes() -> None:
    state = _issued()
    again = credentials.load(ENGINE, _live(state))
    assert again is not None
    assert json.dumps(credentials.secrets(ENGINE, again)) == json.dumps(credentials.secrets(ENGINE, state))


@pytest.mark.parametrize("name", credentials.names(ENGINE))
def test_any_lost_secret_is_restored_with_the_same_value(name: str) -> None:
    live = _live(_issued())
    del live[name]
    assert credentials.load(ENGINE, live) == _issued()


def test_an_edited_mounted_copy_is_overruled_by_the_stored_one() -> None:
    live = _live(_issued())
    _edit(live["vanna-database"], "password", b"mine")
    assert credentials.load(ENGINE, live) == _issued()


def test_an_edited_stored_copy_is_overruled_by_the_mounted_ones() -> None:
    live = _live(_issued())
    stored = live["vanna-state"]
    assert stored is not None
    text = base64.b64decode(stored["data"]["state.json"]).replace(b"canary", b"edited")
    _edit(stored, "state.json", text)
    assert credentials.load(ENGINE, live) == _issued()


def test_a_damaged_secret_counts_as_lost() -> None:
    live = _live(_issued())
    live["vanna-broker"] = {"data": {"password": "%%%"}}
    assert credentials.load(ENGINE, live) == _issued()


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        "null",
        "not json",
        '{"sets": 1}',
        '{"sets": {"jwt": {}}}',
        '{"sets": {"jwt": {"current": {}}}}',
        '{"sets": {"jwt": {"current": {"keyset.json": 1}}}}',
    ],
)
def test_a_stored_copy_of_another_shape_counts_as_lost_whatever_its_checksum(text: str) -> None:
    live = _live(_issued())
    _edit(live["vanna-state"], "state.json", text.encode())
    _edit(live["vanna-state"], "checksum", hashlib.sha256(text.encode()).hexdigest().encode())
    assert credentials.load(ENGINE, live) == _issued()


def test_a_checksum_that_is_not_even_ascii_counts_as_wrong() -> None:
    live = _live(_issued())
    _edit(live["vanna-state"], "checksum", "\u00fc".encode())
    assert credentials.load(ENGINE, live) == _issued()


def test_nothing_at_all_is_no_state() -> None:
    assert credentials.load(ENGINE, {}) is None


def test_a_first_start_may_issue() -> None:
    credentials.guard(ENGINE, None, [])


@pytest.mark.parametrize(
    ("claim", "field"),
    [
        ("data-vanna-postgres-0", "spec.database.managed"),
        ("data-vanna-redis-0", "spec.broker.managed"),
    ],
)
def test_nothing_is_issued_for_a_volume_that_knows_another_password(claim: str, field: str) -> None:
    with pytest.raises(InvalidReference, match="restore the Secret vanna-state") as refused:
        credentials.guard(ENGINE, None, [claim])
    assert refused.value.field == field


def test_one_lost_set_is_enough_to_refuse() -> None:
    held = {name: values for name, values in _issued().sets.items() if name != "database"}
    with pytest.raises(InvalidReference, match="vanna-database from a backup"):
        credentials.guard(ENGINE, CredentialState(held), ["data-vanna-postgres-0"])


def test_a_lost_signing_key_may_be_issued_anew() -> None:
    held = {name: values for name, values in _issued().sets.items() if name != "jwt"}
    credentials.guard(ENGINE, CredentialState(held), ["data-vanna-postgres-0", "data-vanna-redis-0"])


WITHOUT_ADMIN = CredentialState({name: values for name, values in _issued().sets.items() if name != "admin"})


def test_no_bootstrap_admin_is_issued_for_a_database_that_has_one() -> None:
    claims = ["data-vanna-postgres-0"]
    credentials.guard(ENGINE, WITHOUT_ADMIN, claims)
    state = credentials.issue(ENGINE, WITHOUT_ADMIN, _never, claims)
    assert state == WITHOUT_ADMIN
    assert "vanna-admin" not in _live(state)


def test_a_bootstrap_admin_is_issued_while_there_is_no_database() -> None:
    assert "admin" in credentials.issue(ENGINE, WITHOUT_ADMIN, counting_token()).sets


def test_a_state_is_complete_only_with_every_set() -> None:
    assert credentials.complete(ENGINE, _issued())
    assert not credentials.complete(ENGINE, WITHOUT_ADMIN)


@pytest.mark.parametrize("spec", [{}, BOOTSTRAP], ids=["issued", "given"])
def test_only_a_bootstrap_admin_made_here_may_be_absent_for_the_migrate_job(spec: Manifest) -> None:
    job = next(item for item in plan(validated(spec)) if item["kind"] == "Job")
    volumes = {item["name"]: item for item in job["spec"]["template"]["spec"]["volumes"]}
    assert volumes["bootstrap-admin"]["secret"].get("optional", False) is not bool(spec)
    assert "optional" not in volumes["database"]["secret"]


def test_a_set_held_from_before_survives_a_spec_that_needs_it_no_longer() -> None:
    state = credentials.issue(validated(BOOTSTRAP), _issued(), _never)
    assert state.sets["admin"] == _issued().sets["admin"]


def test_servers_and_admins_that_a_user_gives_get_no_secret() -> None:
    built = validated({"database": EXTERNAL, "broker": EXTERNAL} | BOOTSTRAP)
    assert credentials.names(built) == ("vanna-state", "vanna-jwt")


def test_no_two_values_are_alike() -> None:
    values = [entry for sets in _issued().sets.values() for name, entry in sets.items() if name == "password"]
    assert len(values) == len(set(values)) == 5


def test_the_keyset_has_the_shape_the_engine_reads() -> None:
    keyset = json.loads(_issued().sets["jwt"]["keyset.json"])
    (only,) = keyset["keys"]
    assert keyset["signing"] == only["kid"]
    assert only["alg"] == "HS256"
    assert len(base64.urlsafe_b64decode(only["secret"] + "==")) == 32


def test_a_state_never_shows_its_values() -> None:
    assert "canary" not in repr(_issued())
    assert base64.urlsafe_b64encode(b"canary").decode()[:6] not in repr(_issued())


def _edit(secret: Manifest | None, entry: str, value: bytes) -> None:
    assert secret is not None
    secret["data"][entry] = base64.b64encode(value).decode()
