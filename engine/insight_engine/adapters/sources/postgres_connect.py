"""Makes PostgreSQL connections: reads the credential, keeps the driver's type table warm.

The driver reads the server's whole type catalog when it opens a database (about 40 ms) but not for further
connections of it; so one connection is kept as the parent of all, and never runs a query.
"""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress

import adbc_driver_postgresql
import psycopg
from adbc_driver_manager import dbapi
from psycopg.conninfo import make_conninfo

from insight_engine.domain.credentials import SourceCredential
from insight_engine.domain.source_errors import SourceMisconfigured

CONNECT_TIMEOUT_S = 5
PARENT_MAX_AGE_S = 300.0
_DRIVER = adbc_driver_postgresql._driver_path()  # noqa: SLF001 - the way its own dbapi module finds it


class Connections:
    """Connections of one login to one database, each made for one query."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._lock = threading.Lock()
        self._parent: dbapi.Connection | None = None
        self._made = 0.0

    def open(self) -> dbapi.Connection:
        """A new connection in autocommit; raises the driver's error when there is none to be had."""
        with self._lock:
            if self._parent is None or time.monotonic() - self._made > PARENT_MAX_AGE_S:
                self._drop()
                self._parent = _connect(self._conninfo)
                self._made = time.monotonic()
            return self._parent.adbc_clone()

    def close(self) -> None:
        """Close the parent; connections handed out close on their own."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        if self._parent is not None:
            with suppress(dbapi.Error):
                self._parent.close()
        self._parent = None


def _connect(conninfo: str) -> dbapi.Connection:
    return dbapi.connect(
        driver=_DRIVER, entrypoint="AdbcDriverPostgresqlInit", db_kwargs={"uri": conninfo}, autocommit=True
    )


def conninfo(name: str, credential: SourceCredential) -> str:
    """The libpq connection string of a credential.

    Raises:
        SourceMisconfigured: when the credential says nothing usable.
    """
    if credential.uri is None and credential.host is None:
        raise SourceMisconfigured(f"The secret of data source {name} has neither uri nor host: add one.")
    single = {
        "host": credential.host,
        "port": credential.port,
        "dbname": credential.dbname,
        "user": credential.username,
        "password": credential.password,
    }
    parts = {} if credential.uri is not None else {key: v for key, v in single.items() if v is not None}
    try:
        return make_conninfo(
            credential.uri or "", connect_timeout=CONNECT_TIMEOUT_S, client_encoding="UTF8", **parts
        )
    except psycopg.Error:
        message = f"The secret of data source {name} holds no usable connection URI: check its uri."
        raise SourceMisconfigured(message) from None


def begin(connection: dbapi.Connection, settings: Sequence[tuple[str, str]]) -> None:
    """Open a read-only transaction; its settings end with it, so a pooler hands none of them on."""
    calls = ", ".join(f"set_config(${2 * n + 1}, ${2 * n + 2}, true)" for n in range(len(settings)))
    with connection.cursor() as cursor:
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        cursor.execute(f"SELECT {calls}", tuple(part for pair in settings for part in pair))
        cursor.fetchall()


def interrupt(connection: dbapi.Connection) -> None:
    """Ask the server to stop what a connection runs; nothing when it runs nothing."""
    with suppress(dbapi.Error):
        connection.adbc_cancel()
