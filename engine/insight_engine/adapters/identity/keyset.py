"""The signing keys, parsed from `keyset.json`: exactly one signs, all verify, each with one algorithm."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from insight_engine.domain.errors import ConfigurationError

KID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")
ALGORITHM: Final = "HS256"
MIN_KEY_BYTES: Final = 32
MAX_KEYS: Final = 8


@dataclass(frozen=True, slots=True)
class Keyset:
    """Keys by kid, and the kid that signs."""

    signing: str
    keys: Mapping[str, bytes] = field(repr=False)


def parse_keyset(text: str) -> Keyset:
    """Parse and check a keyset.

    Raises:
        ConfigurationError: naming what is wrong, never a key.
    """
    try:
        document = json.loads(text)
        keys = dict(_key(entry) for entry in document["keys"])
        signing = document["signing"]
    except (ValueError, KeyError, TypeError) as error:
        raise _bad(f"it is not a keyset ({type(error).__name__})") from None
    if len(keys) != len(document["keys"]):
        raise _bad("two keys share a kid")
    if not 0 < len(keys) <= MAX_KEYS:
        raise _bad(f"it must hold 1 to {MAX_KEYS} keys")
    if signing not in keys:
        raise _bad("its signing kid is not among its keys")
    return Keyset(signing, keys)


def _key(entry: Any) -> tuple[str, bytes]:
    kid, algorithm, secret = entry["kid"], entry["alg"], entry["secret"]
    if not isinstance(kid, str) or KID.fullmatch(kid) is None:
        raise _bad("a kid must be 8 to 64 letters, digits, '-' or '_'")
    if algorithm != ALGORITHM:
        raise _bad(f"the key {kid} must have alg {ALGORITHM}")
    try:
        key = base64.b64decode(secret + "=" * (-len(secret) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, TypeError):
        raise _bad(f"the secret of key {kid} is not base64url") from None
    if len(key) < MIN_KEY_BYTES:
        raise _bad(f"the secret of key {kid} is shorter than {MIN_KEY_BYTES * 8} bits")
    return kid, key


def _bad(reason: str) -> ConfigurationError:
    return ConfigurationError("keyset_invalid", f"Secret set jwt, keyset.json: {reason}. Replace the file.")
