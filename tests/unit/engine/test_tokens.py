"""Access tokens: ours are accepted, everything else is refused in the same words."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import jwt
import pytest
from jose import jwt as jose_jwt

from insight_engine.adapters.identity.keyset import Keyset
from insight_engine.adapters.identity.tokens import JwtTokens
from insight_engine.domain.errors import Unauthenticated
from insight_engine.domain.sources import Role
from insight_engine.domain.users import User

KID, OLD_KID = "kid-current", "kid-former"
KEY, OLD_KEY = secrets.token_bytes(32), secrets.token_bytes(32)
KEYSET = Keyset(KID, {KID: KEY, OLD_KID: OLD_KEY})
TOKENS = JwtTokens(lambda: KEYSET, "test", 3600)
ISSUER, AUDIENCE = "insight-engine/test", "insight-engine:test"


def user() -> User:
    return User(
        uuid4(), "ada", Role.ANALYST, disabled=False, tokens_valid_from=datetime.now(UTC), password_hash=""
    )


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    base = {"iss": ISSUER, "aud": AUDIENCE, "sub": str(uuid4()), "jti": "j", "role": "admin"}
    made = {**base, "iat": now, "nbf": now, "exp": now + 60, **changes}
    return {name: value for name, value in made.items() if value is not ...}


def segment(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: Any, payload: Any, key: bytes = KEY) -> str:
    body = f"{segment(header)}.{segment(payload)}"
    return f"{body}.{segment(hmac.new(key, body.encode(), hashlib.sha256).digest())}"


HEADER = {"alg": "HS256", "typ": "at+jwt", "kid": KID}


def good() -> str:
    return signed(HEADER, claims())


def header(**changes: Any) -> str:
    return signed({k: v for k, v in {**HEADER, **changes}.items() if v is not ...}, claims())


def payload(**changes: Any) -> str:
    return signed(HEADER, claims(**changes))


def swapped_signature() -> str:
    first, second = good().split("."), good().split(".")
    return ".".join([first[0], segment(claims(role="admin", jti="k")), second[2]])


def duplicated(name: str, value: str) -> bytes:
    return json.dumps(claims()).encode()[:-1] + f', "{name}": {value}}}'.encode()


def padded_bits() -> str:
    """The same signature bytes in a second spelling: the last character has unused bits."""
    token = good()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


PUBLIC_JWK = {"kty": "oct", "k": segment(b"x" * 32)}
FORGED: dict[str, Callable[[], str]] = {
    "empty": lambda: "",
    "garbage": lambda: "not.a.token",
    "two segments": lambda: good().rsplit(".", 1)[0],
    "four segments": lambda: good() + ".x",
    "five segments, as an encrypted token": lambda: f"{good()}.x.y",
    "empty signature": lambda: good().rsplit(".", 1)[0] + ".",
    "trimmed signature": lambda: good()[:-4],
    "signature of another payload": swapped_signature,
    "second spelling of the signature": padded_bits,
    "padding": lambda: good() + "=",
    "blank inside": lambda: good().replace(".", ". ", 1),
    "line break at the end": lambda: good() + "\n",
    "alg none, unsigned": lambda: f"{segment({**HEADER, 'alg': 'none'})}.{segment(claims())}.",
    "alg nOnE, unsigned": lambda: f"{segment({**HEADER, 'alg': 'nOnE'})}.{segment(claims())}.",
    "alg none, signed": lambda: header(alg="none"),
    "alg HS512 under an HS256 key": lambda: jwt.encode(claims(), KEY, "HS512", {"kid": KID, "typ": "at+jwt"}),
    "alg RS256 named": lambda: header(alg="RS256"),
    "alg ES256 with a zero signature": lambda: (
        f"{segment({**HEADER, 'alg': 'ES256'})}.{segment(claims())}.{segment(bytes(64))}"
    ),
    "alg missing": lambda: header(alg=...),
    "alg a list": lambda: header(alg=["HS256"]),
    "another key": lambda: signed(HEADER, claims(), secrets.token_bytes(32)),
    "empty key": lambda: signed(HEADER, claims(), b""),
    "key of another kid": lambda: signed({**HEADER, "kid": OLD_KID}, claims()),
    "unknown kid": lambda: header(kid="kid-unknown"),
    "kid missing": lambda: header(kid=...),
    "kid a path": lambda: signed({**HEADER, "kid": "../../../dev/null"}, claims(), b""),
    "kid SQL": lambda: header(kid="x' UNION SELECT 'k"),
    "kid a list": lambda: header(kid=[KID]),
    "typ JWT": lambda: header(typ="JWT"),
    "typ of a refresh token": lambda: header(typ="rt+jwt"),
    "typ missing": lambda: header(typ=...),
    "embedded key": lambda: signed({**HEADER, "jwk": PUBLIC_JWK}, claims(), b"x" * 32),
    "jku": lambda: header(jku="http://127.0.0.1/keys"),
    "x5u": lambda: header(x5u="http://127.0.0.1/cert"),
    "crit": lambda: header(crit=["exp"]),
    "b64 false": lambda: header(b64=False, crit=["b64"]),
    "header a list": lambda: signed([HEADER], claims()),
    "header with a duplicate key": lambda: signed(
        json.dumps(HEADER).encode()[:-1] + b', "alg": "HS256"}', claims()
    ),
    "payload a list": lambda: signed(HEADER, [claims()]),
    "payload not JSON": lambda: signed(HEADER, b"{"),
    "payload deeply nested": lambda: signed(HEADER, b"[" * 3000 + b"]" * 3000),
    "payload with a second sub": lambda: signed(HEADER, duplicated("sub", f'"{uuid4()}"')),
    "payload with a second exp": lambda: signed(HEADER, duplicated("exp", "99999999999")),
    "other issuer": lambda: payload(iss="insight-engine/other"),
    "other audience": lambda: payload(aud="insight-engine:other"),
    "audience among others": lambda: payload(aud=[AUDIENCE, "insight-engine:other"]),
    "issuer missing": lambda: payload(iss=...),
    "audience missing": lambda: payload(aud=...),
    "subject missing": lambda: payload(sub=...),
    "subject no id": lambda: payload(sub="admin"),
    "subject a number": lambda: payload(sub=1),
    "jti missing": lambda: payload(jti=...),
    "exp missing": lambda: payload(exp=...),
    "iat missing": lambda: payload(iat=...),
    "nbf missing": lambda: payload(nbf=...),
    "expired by a second": lambda: payload(exp=int(time.time()) - 1),
    "not yet valid": lambda: payload(nbf=int(time.time()) + 60),
    "issued in the future": lambda: payload(iat=int(time.time()) + 60),
    "exp a string": lambda: payload(exp=str(int(time.time()) + 60)),
    "exp true": lambda: payload(exp=True),
    "exp a list": lambda: payload(exp=[int(time.time()) + 60]),
    "exp a fraction": lambda: payload(exp=time.time() + 60),
    "exp negative": lambda: payload(exp=-1),
    "exp endless": lambda: signed(HEADER, duplicated("zzz", "1").replace(b'"exp": ', b'"exp": 1e400, "x": ')),
    "exp far beyond": lambda: payload(exp=2**60),
    "token over 8 KB": lambda: payload(pad="x" * 9000),
    "token of a megabyte": lambda: "a" * 1_000_000 + ".b.c",
    "look-alike letter": lambda: "\u0435" + good()[1:],
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_a_forged_token_is_refused_without_a_hint(forge: Callable[[], str]) -> None:
    with pytest.raises(Unauthenticated) as refused:
        TOKENS.verify(forge())
    assert refused.value.code == "token_invalid"
    assert refused.value.message == "The access token is missing, wrong or expired. Log in again."


def test_the_forger_makes_good_tokens_when_it_forges_nothing() -> None:
    TOKENS.verify(good())


def test_an_issued_token_names_its_user() -> None:
    ada = user()
    token, lifetime = TOKENS.issue(ada)
    found, issued_at = TOKENS.verify(token)
    assert (found, lifetime) == (ada.id, 3600)
    assert abs(issued_at - time.time()) < 5


def test_a_token_of_a_key_that_only_verifies_is_accepted() -> None:
    former = JwtTokens(lambda: Keyset(OLD_KID, {OLD_KID: OLD_KEY}), "test", 60)
    TOKENS.verify(former.issue(user())[0])


def test_a_token_of_a_removed_key_is_refused() -> None:
    token, _ = TOKENS.issue(user())
    with pytest.raises(Unauthenticated):
        JwtTokens(lambda: Keyset(OLD_KID, {OLD_KID: OLD_KEY}), "test", 60).verify(token)


def test_a_token_of_another_instance_is_refused() -> None:
    with pytest.raises(Unauthenticated):
        TOKENS.verify(JwtTokens(lambda: KEYSET, "other", 60).issue(user())[0])


def test_an_independent_library_verifies_our_tokens() -> None:
    token, _ = TOKENS.issue(user())
    found = jose_jwt.decode(token, KEY, algorithms=["HS256"], audience=AUDIENCE, issuer=ISSUER)
    assert set(found) == {"iss", "aud", "sub", "jti", "iat", "nbf", "exp", "role"}
    assert jose_jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "at+jwt", "kid": KID}
