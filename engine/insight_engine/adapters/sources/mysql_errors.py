"""Turns what MySQL and its driver raise into the domain's few errors, with no secret in them."""

import re
from collections.abc import Sequence
from typing import Final

import pymysql

from insight_engine.adapters.sources.running import timed_out
from insight_engine.domain.source_errors import (
    QueryCancelled,
    QueryFailed,
    SourceBusy,
    SourceError,
    SourceMisconfigured,
    SourceRefusedCredentials,
    SourceUnreachable,
)

_REFUSED: Final = {1044, 1045, 1049, 1130, 1251, 1275, 1698, 2059, 3118, 3159, 4151}
_FULL: Final = {1040, 1203, 1226}
_LATE: Final = {1969, 3024}
_CANCELLED: Final = {1317, 1927}
_GONE: Final = {1053, 1077, 1079, 1080, 2003, 2006, 2013, 2055}
_CANNOT_CONNECT: Final = 2003
_CONNECTING: Final = _REFUSED | _FULL | _GONE | {0, 2026}
_TLS: Final = (
    (
        re.compile(r"mismatch|doesn't match|not valid for|IP address mismatch", re.IGNORECASE),
        "has a certificate for another host name: use the name it was made out to, or sslmode verify-ca.",
    ),
    (
        re.compile(r"CERTIFICATE_VERIFY_FAILED|certificate verify failed", re.IGNORECASE),
        "did not prove who it is: no authority in the secret's sslrootcert signed its certificate.",
    ),
    (
        re.compile(
            r"(doesn.t|does not|not) support (SSL|TLS)|SSL.*required but|TLS.*required but", re.IGNORECASE
        ),
        "offers no TLS, which the secret's sslmode asks for: switch it on there, or use sslmode disable.",
    ),
    (
        re.compile(r"require_secure_transport|insecure transport", re.IGNORECASE),
        "takes encrypted connections only: set sslmode to require or better in its secret.",
    ),
)
_MAX_MESSAGE: Final = 500


def explain(error: Exception, name: str, secrets: Sequence[str], timeout_s: float) -> SourceError:
    """The domain's error for one of the driver's."""
    if isinstance(error, SourceError):
        return error
    if isinstance(error, UnicodeError):
        return QueryFailed("The database sent text that is not valid UTF-8: CAST it to BINARY.")
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    text = str(error.args[-1]) if error.args else ""
    if not isinstance(error, pymysql.Error) or code in _CONNECTING:
        return _of_connecting(code, text, name, timeout_s)
    if code in _LATE:
        return timed_out(timeout_s)
    if code in _CANCELLED:
        return QueryCancelled("The query was cancelled in the database.")
    return QueryFailed(f"The database says: {scrubbed(text, secrets)}")


def _of_connecting(code: int, text: str, name: str, timeout_s: float) -> SourceError:
    for pattern, sentence in _TLS:
        if pattern.search(text):
            return SourceMisconfigured(f"The data source {name} {sentence}")
    if code in _REFUSED:
        return SourceRefusedCredentials(
            f"The data source {name} refused our login: check its secret's username, password and dbname."
        )
    if code in _FULL:
        return SourceBusy(f"The data source {name} has no connection left for our login: ask again later.")
    if code != _CANNOT_CONNECT and "timed out" in text:
        return timed_out(timeout_s)
    return _unreachable(name)


def _unreachable(name: str) -> SourceUnreachable:
    return SourceUnreachable(f"The data source {name} cannot be reached: check its host, port and network.")


def scrubbed(text: str, secrets: Sequence[str]) -> str:
    """The server's own sentence, without the address, the login or what surrounds a syntax error."""
    sentence = re.sub(r"'[^']*'@'[^']*'", "the login", text.strip())
    sentence = re.sub(r"(right syntax to use) near .*", r"\1.", sentence, flags=re.DOTALL)
    for secret in secrets:
        sentence = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "…", sentence)
    return sentence[:_MAX_MESSAGE] or "the statement failed"
