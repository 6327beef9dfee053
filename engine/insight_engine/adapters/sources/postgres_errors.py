"""Turns what PostgreSQL and its driver raise into the domain's few errors, with no secret in them."""

import re

from insight_engine.adapters.sources.running import timed_out
from insight_engine.domain.credentials import SourceCredential
from insight_engine.domain.source_errors import (
    QueryCancelled,
    QueryFailed,
    SourceError,
    SourceRefusedCredentials,
    SourceUnreachable,
)

_REFUSED = re.compile(
    r"password authentication failed|authentication failed|no pg_hba\.conf entry|no password supplied"
    r"|role .* does not exist|database .* does not exist|permission denied for database"
    r"|not permitted to log in"
)
_UNREACHABLE = re.compile(
    r"Failed to connect|connection to server|could not (connect|translate)|server closed the connection"
    r"|terminating connection|the database system is|too many clients|SSL|timeout expired"
    r"|no connection to the server"
)
_MAX_MESSAGE = 500


def explain(error: Exception, name: str, credential: SourceCredential, timeout_s: float) -> SourceError:
    """The domain's error for one of the driver's."""
    text = str(error)
    state = getattr(error, "sqlstate", None)
    if state == "57014" or "canceling statement due to" in text:
        if "statement timeout" in text:
            return timed_out(timeout_s)
        return QueryCancelled("The query was cancelled in the database.")
    if state is None or state.startswith(("08", "28", "3D", "57P", "53")):
        if _REFUSED.search(text):
            return SourceRefusedCredentials(
                f"The data source {name} refused our login: check its secret's username, password and dbname."
            )
        if _UNREACHABLE.search(text):
            return SourceUnreachable(
                f"The data source {name} cannot be reached: check its host, port and network."
            )
    return QueryFailed(f"The database says: {_scrubbed(text, credential)}")


def _scrubbed(text: str, credential: SourceCredential) -> str:
    """The server's own first sentence, without the statement, the address or the login."""
    match = re.search(r"(?:ERROR|FATAL|PANIC):\s+(.*?)(?:\n|$|\. SQLSTATE)", text, re.DOTALL)
    sentence = match.group(1) if match else text.split("Query was:", 1)[0].split("\n", 1)[0]
    for secret in (credential.uri, credential.password, credential.host, credential.username):
        if secret:
            sentence = sentence.replace(secret, "…")
    sentence = re.sub(r"postgres(ql)?://\S+", "…", sentence).strip()
    return sentence[:_MAX_MESSAGE] or "the statement failed"
