"""Brings a PostgreSQL metadata store to this release's schema. Blocking: a Job runs it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from sqlalchemy import create_engine, select, text
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
        Unavailable: the database did not answer within `wait_s`.
        ConfigurationError: it answers and refuses the login or the rights.
    """
    try:
        if admin is None:
            with _connected(login.conninfo, wait_s) as connection:
                for schema in (SCHEMA, RESULTS_SCHEMA):
                    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}".encode())
            return _upgrade_postgres(login.conninfo, owner_role=None, app_role=None)
        target = _bootstrap(login, admin, wait_s)
        return _upgrade_postgres(target, owner_role=roles.OWNER_ROLE, app_role=roles.APP_ROLE)
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            "database_rights",
            f"The database login lacks a right ({error.diag.message_primary}): grant it and run again",
        ) from None


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
        except psycopg.OperationalError as error:
            if _is_refused_login(error):
                raise ConfigurationError(
                    "database_login_refused",
                    "The database refuses the login of the mounted secret: check its username and password",
                ) from None
            if time.monotonic() >= deadline:
                raise Unavailable(
                    "database_unreachable", f"The database did not answer within {wait_s:g} s"
                ) from None
        time.sleep(RETRY_S)


def _is_refused_login(error: psycopg.OperationalError) -> bool:
    # libpq gives no SQLSTATE for a refusal during connect, only the server's text.
    return any(
        mark in str(error) for mark in ("password authentication failed", "role ", "no pg_hba.conf entry")
    )


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
