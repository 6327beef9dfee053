"""Turns what PostgreSQL and its driver raise into the domain's few errors, with no secret in them."""

import re
from collections.abc import Sequence
from typing import Final

import psycopg

from insight_engine.adapters.sources.postgres_session import ConnectionBrokenError, ServerError
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

_REFUSED: Final = re.compile(
    r"password authentication failed|authentication failed|no pg_hba\.conf entry|no password supplied"
    r"|role .* does not exist|database .* does not exist|permission denied for database"
    r"|not permitted to log in"
)
_TLS: Final = (
    (
        re.compile(r"certificate verify failed|SSL error: .*signature|root certificate"),
        "did not prove who it is: no authority in the secret's sslrootcert signed its certificate.",
    ),
    (
        re.compile(r"does not match host name|certificate .* host"),
        "has a certificate for another host name: use the name it was made out to, or sslmode verify-ca.",
    ),
    (
        re.compile(r"server does not support SSL"),
        "offers no TLS, which the secret's sslmode asks for: switch it on there, or use sslmode disable.",
    ),
    (
        re.compile(r"no encryption\b"),
        "takes encrypted connections only: set sslmode to require or better in its secret.",
    ),
)
_FULL: Final = re.compile(r"too many (clients|connections)|remaining connection slots")
_MAX_MESSAGE: Final = 500
_UNENCODABLE: Final = "The database holds text that is not valid UTF-8: convert it, or CAST it to bytea."


def explain(error: Exception, name: str, secrets: Sequence[str], timeout_s: float) -> SourceError:
    """The domain's error for one of the driver's."""
    if isinstance(error, SourceError):
        return error
    if isinstance(error, UnicodeError):
        return QueryFailed(_UNENCODABLE)
    if isinstance(error, ConnectionBrokenError):
        return timed_out(timeout_s) if error.late else _unreachable(name)
    if isinstance(error, ServerError):
        return _of_the_server(error.state, error.message, name, secrets, timeout_s)
    if isinstance(error, psycopg.Error) and error.sqlstate and not error.sqlstate.startswith("08"):
        message = error.diag.message_primary or "the statement failed"
        return _of_the_server(error.sqlstate, message, name, secrets, timeout_s)
    return _of_connecting(str(error), name)


def _of_the_server(
    state: str, message: str, name: str, secrets: Sequence[str], timeout_s: float
) -> SourceError:
    if state == "57014":
        if "statement timeout" in message:
            return timed_out(timeout_s)
        return QueryCancelled("The query was cancelled in the database.")
    if state.startswith(("08", "28", "3D", "57P", "53")):
        return _of_connecting(message, name)
    return QueryFailed(f"The database says: {scrubbed(message, secrets)}")


def _of_connecting(text: str, name: str) -> SourceError:
    for pattern, sentence in _TLS:
        if pattern.search(text):
            return SourceMisconfigured(f"The data source {name} {sentence}")
    if _REFUSED.search(text):
        return SourceRefusedCredentials(
            f"The data source {name} refused our login: check its secret's username, password and dbname."
        )
    if _FULL.search(text):
        return SourceBusy(f"The data source {name} has no connection left for our login: ask again later.")
    return _unreachable(name)


def _unreachable(name: str) -> SourceUnreachable:
    return SourceUnreachable(f"The data source {name} cannot be reached: check its host, port and network.")


def scrubbed(text: str, secrets: Sequence[str]) -> str:
    """The server's own sentence, without the address or the login."""
    sentence = text.strip().split("\n", 1)[0]
    for secret in secrets:
        sentence = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "…", sentence)
    sentence = re.sub(r"\w+://\S+", "…", sentence).strip()
    return sentence[:_MAX_MESSAGE] or "the statement failed"
