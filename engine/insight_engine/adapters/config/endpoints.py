"""Turns secret sets into addresses with logins. The values never reach a log: no field of theirs is shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from insight_engine.adapters.config.secrets import read_set, require
from insight_engine.domain.credentials import SourceCredential
from insight_engine.domain.errors import ConfigurationError

SQLITE_SCHEME = "sqlite:///"
SSL_MODES = ("disable", "require", "verify-ca", "verify-full")


@dataclass(frozen=True, slots=True)
class DatabaseLogin:
    """How to reach the metadata database: a libpq connection string, or the path of a SQLite file."""

    conninfo: str = field(repr=False)
    sqlite_path: str | None = None


@dataclass(frozen=True, slots=True)
class BrokerLogin:
    """How to reach Redis."""

    host: str
    port: int
    database: int
    tls: bool
    username: str | None = field(repr=False)
    password: str | None = field(repr=False)


def database_login(root: Path, name: str = "database") -> DatabaseLogin:
    """The login of a database set.

    Raises:
        ConfigurationError: the set is missing or incomplete.
    """
    secret = read_set(root, name)
    uri = (secret or {}).get("uri")
    if uri is not None and uri.startswith(SQLITE_SCHEME):
        return DatabaseLogin(conninfo="", sqlite_path=uri.removeprefix(SQLITE_SCHEME))
    if uri is not None:
        if not uri.startswith(("postgresql://", "postgres://")):
            raise ConfigurationError(
                "secret_invalid", f"Secret set {name}: uri must start with postgresql://"
            )
        return DatabaseLogin(conninfo=uri)
    parts = require(secret, name, ("host", "dbname", "username", "password"))
    return DatabaseLogin(conninfo=_conninfo(parts))


def _conninfo(parts: Mapping[str, str]) -> str:
    user, password, dbname = (quote(parts[key], safe="") for key in ("username", "password", "dbname"))
    host = quote(parts["host"], safe=":[].")
    return f"postgresql://{user}:{password}@{host}:{parts.get('port') or '5432'}/{dbname}"


def broker_login(root: Path) -> BrokerLogin:
    """The login of the broker set.

    Raises:
        ConfigurationError: the set is missing, incomplete or no redis:// address.
    """
    secret = read_set(root, "broker")
    uri = (secret or {}).get("uri")
    if uri is None:
        parts = require(secret, "broker", ("host",))
        return BrokerLogin(
            parts["host"],
            _port(parts.get("port") or "6379"),
            0,
            tls=False,
            username=parts.get("username") or None,
            password=parts.get("password") or None,
        )
    split = urlsplit(uri)
    if split.scheme not in {"redis", "rediss"} or not split.hostname:
        raise ConfigurationError("secret_invalid", "Secret set broker: uri must be redis://… or rediss://…")
    return BrokerLogin(
        split.hostname,
        _port(str(split.port or 6379)),
        int(split.path.strip("/") or 0),
        tls=split.scheme == "rediss",
        username=unquote(split.username) if split.username else None,
        password=unquote(split.password) if split.password else None,
    )


def _port(text: str, name: str = "broker") -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) < 65_536:  # noqa: PLR2004
        return int(text)
    raise ConfigurationError("secret_invalid", f"Secret set {name}: port is {text!r}, it must be 1 to 65535")


def source_credential(root: Path, name: str) -> SourceCredential | None:
    """The login of a data source, or None when no secret is mounted for it.

    Raises:
        ConfigurationError: a file of the set cannot be used.
    """
    set_name = f"source-{name}"
    secret = read_set(root, set_name)
    if secret is None:
        return None
    return SourceCredential(
        uri=secret.get("uri") or None,
        host=secret.get("host") or None,
        port=_port(secret["port"], set_name) if secret.get("port") else None,
        dbname=secret.get("dbname") or None,
        username=secret.get("username") or None,
        password=secret.get("password") or None,
        sslmode=_sslmode(secret, set_name),
        ca_pem=secret.get("sslrootcert") or None,
    )


def _sslmode(secret: Mapping[str, str], name: str) -> str | None:
    mode = secret.get("sslmode") or None
    if mode is not None and mode not in SSL_MODES:
        raise ConfigurationError(
            "secret_invalid",
            f"Secret set {name}: sslmode is {mode!r}: set it to one of {', '.join(SSL_MODES)}",
        )
    return mode
