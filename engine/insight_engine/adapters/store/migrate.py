"""Brings a PostgreSQL metadata store to this release's schema. Blocking: a Job runs it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from insight_engine.adapters.config.endpoints import DatabaseLogin
from insight_engine.adapters.store import roles
from insight_engine.adapters.store.chunks import ensure_partition
from insight_engine.adapters.store.tables import RESULTS_SCHEMA, SCHEMA
from insight_engine.adapters.store.upgrade import upgrade
from insight_engine.domain.errors import ConfigurationError, Unavailable

MIGRATION_LOCK: Final = 0x1E5C_0000
RETRY_S: Final = 0.5


def migrate_postgres(login: DatabaseLogin, admin: DatabaseLogin | None, *, wait_s: float) -> str:
    """Migrate; with `admin` (a managed database) make database, roles and schemas first. The revision.

    Raises:
        Unavailable: the database did not answer within `wait_s`, or went away in the middle.
        ConfigurationError: it answers and refuses the login or the rights.
    """
    with _explained():
        if admin is None:
            with _connected(login.conninfo, wait_s) as connection:
                for schema in (SCHEMA, RESULTS_SCHEMA):
                    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}".encode())
            return _upgrade_postgres(login.conninfo, owner_role=None, app_role=None)
        target = _bootstrap(login, admin, wait_s)
        return _upgrade_postgres(target, owner_role=roles.OWNER_ROLE, app_role=roles.APP_ROLE)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what a database refuses, or that it went away, into what a person or a Job can act on."""
    try:
        yield
    except (psycopg.Error, DBAPIError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(cause, psycopg.errors.InsufficientPrivilege):
            raise ConfigurationError(
                "database_rights",
                f"The database login lacks a right ({cause.diag.message_primary}): grant it and run again",
            ) from None
        if isinstance(cause, psycopg.OperationalError):
            raise Unavailable(
                "database_lost",
                "The database went away during the migration. Run it again: nothing is half done",
            ) from None
        raise


def _bootstrap(login: DatabaseLogin, admin: DatabaseLogin, wait_s: float) -> str:
    wanted = psycopg.conninfo.conninfo_to_dict(login.conninfo)
    dbname, user, password = (str(wanted[key]) for key in ("dbname", "user", "password"))
    with _connected(admin.conninfo, wait_s) as connection:
        roles.ensure_database(connection, dbname)
        roles.ensure_roles(connection, dbname, user, password)
    target = psycopg.conninfo.make_conninfo(admin.conninfo, dbname=dbname)
    with _connected(target, wait_s) as connection:
        roles.ensure_schemas(connection)
    return target


@contextmanager
def _connected(conninfo: str, wait_s: float) -> Iterator[psycopg.Connection[Any]]:
    """A session that holds the migration lock: two Jobs at once take turns."""
    with connect_patiently(conninfo, wait_s) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK,))
        yield connection


def connect_patiently(conninfo: str, wait_s: float) -> psycopg.Connection[Any]:
    """Connect, waiting up to `wait_s` for a server that is still coming up.

    Raises:
        Unavailable: nothing answered in time.
        ConfigurationError: the server refused the login.
    """
    deadline = time.monotonic() + wait_s
    while True:
        try:
            return psycopg.connect(
                conninfo, autocommit=True, connect_timeout=3, application_name="insight-migrate"
            )
        except psycopg.ProgrammingError:
            raise ConfigurationError(
                "secret_invalid", "The uri of the database's secret set is no connection string: correct it"
            ) from None
        except psycopg.OperationalError as error:
            if (refused := _refusal(error)) is not None:
                raise refused from None
            if time.monotonic() >= deadline:
                raise Unavailable(
                    "database_unreachable", f"The database did not answer within {wait_s:g} s"
                ) from None
        time.sleep(RETRY_S)


_REFUSALS: Final = (
    (
        ("password authentication failed", "role ", "no pg_hba.conf entry", "no password supplied"),
        "database_login_refused",
        "The database refuses the login of the mounted secret: check its username and password",
    ),
    (
        ("does not exist",),
        "database_missing",
        "The server has no database of that name: create it, or correct dbname in the mounted secret",
    ),
    (
        (
            "server does not support SSL",
            "certificate verify failed",
            "root certificate file",
            "sslmode value",
        ),
        "database_tls_refused",
        "No encrypted connection can be made as the secret demands: check its sslmode and sslrootcert",
    ),
)


def _refusal(error: psycopg.OperationalError) -> ConfigurationError | None:
    """What a person must correct; None for a server that may yet come up."""
    # libpq gives no SQLSTATE for a refusal during connect, only the server's text.
    for marks, code, message in _REFUSALS:
        if any(mark in str(error) for mark in marks):
            return ConfigurationError(code, message)
    return None


def _upgrade_postgres(conninfo: str, *, owner_role: str | None, app_role: str | None) -> str:
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(conninfo, connect_timeout=3),
        poolclass=NullPool,
        hide_parameters=True,
    )
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        if owner_role:
            connection.execute(text(f"SET ROLE {owner_role}"))
        revision = upgrade(connection, {"owner_role": owner_role, "app_role": app_role}, SCHEMA)
        if app_role:
            connection.execute(text(f"SET ROLE {app_role}"))
        ensure_partition(connection, connection.scalar(select(text("CAST(timezone('UTC', now()) AS date)"))))
    return revision
