"""The keyset file: usable ones are taken, weak or broken ones refused without showing a key."""

import base64
import json
from typing import Any

import pytest

from insight_engine.adapters.identity.keyset import parse_keyset
from insight_engine.domain.errors import ConfigurationError

SECRET = base64.urlsafe_b64encode(b"k" * 32).decode().rstrip("=")
KEY = {"kid": "kid-0001", "alg": "HS256", "secret": SECRET}


def text(*keys: dict[str, Any], signing: str = "kid-0001") -> str:
    return json.dumps({"signing": signing, "keys": list(keys)})


def test_a_good_keyset_is_taken() -> None:
    keyset = parse_keyset(text(KEY, {**KEY, "kid": "kid-0002"}))
    assert keyset.signing == "kid-0001"
    assert dict(keyset.keys) == {"kid-0001": b"k" * 32, "kid-0002": b"k" * 32}


def test_a_keyset_does_not_show_its_keys() -> None:
    assert "kkkk" not in repr(parse_keyset(text(KEY)))


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("", "is not a keyset"),
        ("[]", "is not a keyset"),
        ('{"signing": "kid-0001"}', "is not a keyset"),
        (text(), "must hold 1 to 8 keys"),
        (text(KEY, KEY), "share a kid"),
        (text(KEY, signing="kid-0002"), "signing kid is not among"),
        (text({**KEY, "kid": "../../x.pem"}), "a kid must be"),
        (text({**KEY, "kid": "short"}), "a kid must be"),
        (text({**KEY, "alg": "none"}), "must have alg HS256"),
        (text({**KEY, "alg": "RS256"}), "must have alg HS256"),
        (text({**KEY, "secret": SECRET[:40]}), "shorter than 256 bits"),
        (text({**KEY, "secret": ""}), "shorter than 256 bits"),
        (text({**KEY, "secret": "%%%%"}), "is not base64url"),
        (text({**KEY, "secret": 5}), "is not"),
    ],
)
def test_a_bad_keyset_is_refused_with_its_reason(document: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as refused:
        parse_keyset(document)
    assert SECRET[:20] not in refused.value.message
