"""Makes MySQL and MariaDB connections from a credential, with the TLS that it asks for.

The driver is told everything here: no option file, no local files for the server, no password in the clear.
"""

import ssl
from typing import Any, Final, TypeAlias
from urllib.parse import unquote, urlsplit

import pymysql
from pymysql.constants import CLIENT

from insight_engine.domain.credentials import SourceCredential
from insight_engine.domain.source_errors import SourceMisconfigured

CONNECT_TIMEOUT_S: Final = 5
DEFAULT_PORT: Final = 3306
_NO_TLS: Final = "doesn't support"
SSL_MODES: Final = ("disable", "require", "verify-ca", "verify-full")

Connection: TypeAlias = Any
"""A connection of the driver, whose published types leave out all that is used of it here."""


class _NoClearPassword:
    """Stands where a plugin would hand our password to any server that asks for it."""

    def __init__(self, connection: Connection) -> None:
        del connection

    @staticmethod
    def authenticate(packet: object) -> None:
        """Refuse."""
        del packet
        raise pymysql.err.OperationalError(2059, "the server asked for the password in the clear")


class Login:
    """One login to one server."""

    def __init__(self, name: str, credential: SourceCredential, schema: str | None) -> None:
        self._options = _options(name, credential)
        self._options["database"] = schema or self._options["database"]
        self._tls = _tls(name, credential)
        names = ("host", "user", "password")
        self.secrets = tuple(str(self._options[key]) for key in names if self._options[key])

    def connect(self, read_timeout_s: float) -> Connection:
        """A new connection in autocommit; raises the driver's error when there is none to be had."""
        if self._tls is None:
            return self._as_offered(read_timeout_s)
        return self._connect(read_timeout_s, self._tls)

    def _as_offered(self, read_timeout_s: float) -> Connection:
        """Encrypted where the server offers it, which is found out once: like PostgreSQL's `prefer`."""
        offered: dict[str, Any] = {"ssl": _unverified()}
        try:
            connection = self._connect(read_timeout_s, offered)
        except pymysql.err.OperationalError as error:
            if _NO_TLS not in str(error):
                raise
            offered = {"ssl_disabled": True}
            connection = self._connect(read_timeout_s, offered)
        self._tls = offered
        return connection

    def _connect(self, read_timeout_s: float, tls: dict[str, Any]) -> Connection:
        return pymysql.Connection(
            **self._options,
            **tls,
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=read_timeout_s,
            write_timeout=CONNECT_TIMEOUT_S,
            local_infile=False,
            client_flag=CLIENT.MULTI_RESULTS,
            program_name="insight",
            auth_plugin_map={"mysql_clear_password": _NoClearPassword, "dialog": _NoClearPassword},
        )


def _options(name: str, credential: SourceCredential) -> dict[str, Any]:
    options = {
        "host": credential.host,
        "port": credential.port or DEFAULT_PORT,
        "user": credential.username,
        "password": credential.password or "",
        "database": credential.dbname,
    }
    if credential.uri is not None:
        options = _from_uri(name, credential.uri)
    if not options["host"]:
        raise SourceMisconfigured(f"The secret of data source {name} has neither uri nor host: add one.")
    if not options["user"]:
        raise SourceMisconfigured(f"The secret of data source {name} has no username: add one.")
    return options


def _from_uri(name: str, uri: str) -> dict[str, Any]:
    try:
        parts = urlsplit(uri)
        port = parts.port or DEFAULT_PORT
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme not in {"mysql", "mariadb"} or not parts.hostname or parts.query:
        message = (
            f"The secret of data source {name} holds no usable URI: write mysql://user:password@host/db."
        )
        raise SourceMisconfigured(message)
    return {
        "host": parts.hostname,
        "port": port,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "database": unquote(parts.path.lstrip("/")) or None,
    }


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _tls(name: str, credential: SourceCredential) -> dict[str, Any] | None:
    """The driver refuses a server without TLS whenever it is given a context."""
    mode = credential.sslmode
    if mode is None and credential.ca_pem is None:
        return None
    if mode == "disable":
        return {"ssl_disabled": True}
    if mode not in {None, *SSL_MODES}:
        raise SourceMisconfigured(
            f"The secret of data source {name} has an unknown sslmode: use one of {', '.join(SSL_MODES)}."
        )
    if mode == "require" and credential.ca_pem is None:
        return {"ssl": _unverified()}
    try:
        context = ssl.create_default_context(cadata=credential.ca_pem)
    except (ssl.SSLError, ValueError):
        message = f"The secret of data source {name} holds no usable sslrootcert: put PEM text there."
        raise SourceMisconfigured(message) from None
    context.check_hostname = mode == "verify-full"
    context.verify_flags &= (
        ~ssl.VERIFY_X509_STRICT
    )  # as databases' own tools: their authorities are often old
    return {"ssl": context}
