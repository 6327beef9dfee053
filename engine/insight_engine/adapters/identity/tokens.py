"""Access tokens: JWT by PyJWT, checked more strictly than its defaults. Refusals never say what was wrong.

`kid` is only ever a key of an in-memory dict, and the header may hold nothing but alg, typ and kid, so no
token can point at a file, an address or a key of its own.
"""

import base64
import binascii
import json
import re
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import jwt

from insight_engine.adapters.config.secrets import Watched, read_set, require, stamp
from insight_engine.adapters.identity.keyset import ALGORITHM, KID, Keyset, parse_keyset
from insight_engine.domain.errors import ConfigurationError, refused_token
from insight_engine.domain.users import User
from insight_engine.telemetry import get_logger

MAX_TOKEN_CHARS: Final = 8 * 1024
SHAPE: Final = re.compile(r"(?:[A-Za-z0-9_-]+\.){2}[A-Za-z0-9_-]+", re.ASCII)
TYPE: Final = "at+jwt"
CLAIMS: Final = ("exp", "iat", "nbf", "iss", "aud", "sub", "jti")
LATEST: Final = 2**40
MAX_REMEMBERED: Final = 4096


class JwtTokens:
    """Issues and verifies the access tokens of one instance."""

    def __init__(self, keyset: Callable[[], Keyset], instance: str, ttl_s: int) -> None:
        self._keyset = keyset
        self._issuer = f"insight-engine/{instance}"
        self._audience = f"insight-engine:{instance}"
        self._ttl_s = ttl_s
        # By the token's digest: the keys it was verified by, when it ends, and what it says.
        self._verified: OrderedDict[bytes, tuple[Keyset, int, tuple[UUID, float]]] = OrderedDict()

    def issue(self, user: User) -> tuple[str, int]:
        """A signed access token and its lifetime in seconds."""
        keyset = self._keyset()
        now = int(time.time())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(user.id),
            "jti": uuid.uuid4().hex,
            "iat": now,
            "nbf": now,
            "exp": now + self._ttl_s,
            "role": user.role.value,
        }
        headers = {"kid": keyset.signing, "typ": TYPE}
        return jwt.encode(claims, keyset.keys[keyset.signing], ALGORITHM, headers), self._ttl_s

    def verify(self, token: str) -> tuple[UUID, float]:
        """(user id, issued-at) of a valid token; one that was verified by these keys is only recognised.

        Raises:
            Unauthenticated: anything at all is wrong with it.
        """
        if len(token) > MAX_TOKEN_CHARS:
            raise refused_token()
        keyset, digest = self._keyset(), sha256(token.encode(errors="surrogatepass")).digest()
        known = self._verified.get(digest)
        if known is not None and known[0] is keyset and time.time() < known[1]:
            return known[2]
        expires, found = self._verify(token, keyset)
        self._verified[digest] = (keyset, expires, found)
        if len(self._verified) > MAX_REMEMBERED:
            self._verified.popitem(last=False)
        return found

    def _verify(self, token: str, keyset: Keyset) -> tuple[int, tuple[UUID, float]]:
        """When it ends, and what `verify` says of it."""
        if SHAPE.fullmatch(token) is None:
            raise refused_token()
        header, payload, signature = token.split(".")
        _raw(signature)
        key = keyset.keys.get(_kid(header))
        if key is None:
            raise refused_token()
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                options={"require": list(CLAIMS), "strict_aud": True},
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise refused_token() from None
        _strictly_decoded(payload)
        _check_times(claims)
        try:
            return claims["exp"], (UUID(claims["sub"]), float(claims["iat"]))
        except (ValueError, AttributeError, TypeError):
            raise refused_token() from None


def _kid(segment: str) -> str:
    header = _strictly_decoded(segment)
    if set(header) != {"alg", "typ", "kid"} or header["typ"] != TYPE or header["alg"] != ALGORITHM:
        raise refused_token()
    kid = header["kid"]
    if not isinstance(kid, str) or KID.fullmatch(kid) is None:
        raise refused_token()
    return kid


def _raw(segment: str) -> bytes:
    """The bytes of a segment, if it is the only way to write them."""
    try:
        raw = base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise refused_token() from None
    if base64.urlsafe_b64encode(raw).rstrip(b"=") != segment.encode():
        raise refused_token()
    return raw


def _strictly_decoded(segment: str) -> dict[str, Any]:
    """The JSON object of a segment; duplicate keys and numbers that are none are refused."""
    try:
        found = json.loads(_raw(segment), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise refused_token() from None
    if not isinstance(found, dict):
        raise refused_token()
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise refused_token()
    return found


def _no_constant(_text: str) -> None:
    raise refused_token()


def _check_times(claims: dict[str, Any]) -> None:
    for name in ("exp", "iat", "nbf"):
        moment = claims[name]
        if type(moment) is not int or not 0 < moment < LATEST:
            raise refused_token()
    if not isinstance(claims["jti"], str) or not isinstance(claims["sub"], str):
        raise refused_token()


def watched_keyset(secrets_dir: Path) -> Callable[[], Keyset]:
    """The mounted keyset, followed as it changes.

    Raises:
        ConfigurationError: it is missing or unusable at start.
    """

    def load() -> Keyset:
        return parse_keyset(require(read_set(secrets_dir, "jwt"), "jwt", ("keyset.json",))["keyset.json"])

    def report(error: ConfigurationError) -> None:
        get_logger("keyset").error("Kept the previous keyset", code=error.code, reason=error.message)

    return Watched(lambda: stamp(secrets_dir, "jwt"), load, report).get
