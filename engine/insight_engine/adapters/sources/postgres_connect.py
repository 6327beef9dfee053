"""Makes PostgreSQL connections from a credential, with the TLS that it asks for."""

import os
import tempfile
import weakref
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from insight_engine.domain.credentials import SourceCredential
from insight_engine.domain.source_errors import SourceMisconfigured

CONNECT_TIMEOUT_S = 5
SSL_MODES = ("disable", "require", "verify-ca", "verify-full")
URI_KEYS = (
    "host",
    "port",
    "dbname",
    "user",
    "password",
    "sslmode",
    "channel_binding",
    "target_session_attrs",
    "application_name",
    "connect_timeout",
)
"""What a URI may say. libpq takes more, such as files of the engine's own pod and options of the session."""


class Login:
    """One login to one database; holds the CA's file, which the driver can only read from a path."""

    def __init__(self, name: str, credential: SourceCredential) -> None:
        self._ca = _ca_file(credential.ca_pem)
        if self._ca is not None:
            weakref.finalize(self, _remove, self._ca)
        self._conninfo = conninfo(name, credential, self._ca)
        self.secrets = _secrets(self._conninfo, credential)

    def connect(self, timeout_s: int = CONNECT_TIMEOUT_S) -> psycopg.Connection[tuple[object, ...]]:
        """A new connection in autocommit; raises the driver's error when there is none to be had."""
        return psycopg.connect(self._conninfo, autocommit=True, connect_timeout=timeout_s)

    def close(self) -> None:
        """Remove the CA's file."""
        if self._ca is not None:
            _remove(self._ca)


def conninfo(name: str, credential: SourceCredential, ca_file: str | None = None) -> str:
    """The libpq connection string of a credential.

    Raises:
        SourceMisconfigured: when the credential says nothing usable.
    """
    if credential.uri is None and credential.host is None:
        raise SourceMisconfigured(f"The secret of data source {name} has neither uri nor host: add one.")
    if credential.sslmode not in {None, *SSL_MODES}:
        raise SourceMisconfigured(
            f"The secret of data source {name} has an unknown sslmode: use one of {', '.join(SSL_MODES)}."
        )
    single = {
        "host": credential.host,
        "port": credential.port,
        "dbname": credential.dbname,
        "user": credential.username,
        "password": credential.password,
    }
    parts = {} if credential.uri is not None else {key: v for key, v in single.items() if v is not None}
    try:
        _check_keys(name, conninfo_to_dict(credential.uri or ""))
        return make_conninfo(
            credential.uri or "",
            **{**parts, **_tls(credential, ca_file)},
            client_encoding="UTF8",
            application_name="insight",
            gssencmode="disable",
        )
    except psycopg.Error:
        message = f"The secret of data source {name} holds no usable connection URI: check its uri."
        raise SourceMisconfigured(message) from None


def _check_keys(name: str, given: Collection[str]) -> None:
    refused = sorted(set(given).difference(URI_KEYS))
    if refused:
        raise SourceMisconfigured(
            f"The uri in the secret of data source {name} sets {', '.join(refused)}, which is not allowed: "
            f"remove it. Allowed are {', '.join(URI_KEYS)}."
        )


def _tls(credential: SourceCredential, ca_file: str | None) -> dict[str, str]:
    """Without a CA of the secret, the system's own ones vouch; libpq would look in a home folder."""
    settings = {} if credential.sslmode is None else {"sslmode": credential.sslmode}
    if ca_file is not None:
        settings["sslrootcert"] = ca_file
    elif credential.sslmode == "verify-full":
        settings["sslrootcert"] = "system"
    return settings


def _ca_file(pem: str | None) -> str | None:
    if pem is None:
        return None
    descriptor, path = tempfile.mkstemp(prefix="insight-ca-", suffix=".pem")  # 0600, a name nobody can guess
    with os.fdopen(descriptor, "w") as file:
        file.write(pem)
    return path


def _remove(path: str) -> None:
    with suppress(OSError):
        Path(path).unlink()


def _secrets(conninfo: str, credential: SourceCredential) -> tuple[str, ...]:
    """What no message may show."""
    parts = conninfo_to_dict(conninfo)
    names = ("host", "hostaddr", "user", "password")
    found = [credential.uri, *(str(parts[name]) for name in names if parts.get(name))]
    return tuple(sorted((value for value in found if value), key=len, reverse=True))
