"""Database, roles and schemas of a managed PostgreSQL, made to be so; safe to run again at any time.

Nothing ever belongs to a login role: `ie_owner` owns the tables, `ie_app` reads and writes rows, logins are
members of `ie_app` and act as it, so a login can be replaced by another without moving anything. Passwords
leave this process only as SCRAM verifiers: the server's log cannot hold one.
"""

from typing import Any, Final

import psycopg
from psycopg import sql

from insight_engine.adapters.store.tables import RESULTS_SCHEMA, SCHEMA

OWNER_ROLE: Final = "ie_owner"
APP_ROLE: Final = "ie_app"

Connection = psycopg.Connection[Any]


def ensure_database(admin: Connection, dbname: str) -> None:
    """Create the database unless it exists; nobody but our roles may connect to it."""
    found = admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (dbname,)).fetchone()
    if found is None:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(dbname)))
    admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(dbname)))


def ensure_roles(admin: Connection, dbname: str, login: str, password: str) -> None:
    """Create the two group roles and the login, and give the login its password."""
    for role in (OWNER_ROLE, APP_ROLE):
        _ensure_role(admin, role, "NOLOGIN")
    _ensure_role(admin, login, "LOGIN NOINHERIT")
    name = sql.Identifier(login)
    verifier = admin.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
    admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(verifier)))
    admin.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(APP_ROLE), name))
    admin.execute(sql.SQL("ALTER ROLE {} SET role = {}").format(name, sql.Literal(APP_ROLE)))
    admin.execute(
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}, {}").format(
            sql.Identifier(dbname), sql.Identifier(APP_ROLE), name
        )
    )


def ensure_schemas(admin: Connection) -> None:
    """Create both schemas under their owners; `admin` is connected to our database."""
    admin.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    for schema, owner in ((SCHEMA, OWNER_ROLE), (RESULTS_SCHEMA, APP_ROLE)):
        admin.execute(
            sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}").format(
                sql.Identifier(schema), sql.Identifier(owner)
            )
        )
    admin.execute(
        sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(SCHEMA), sql.Identifier(APP_ROLE))
    )


def _ensure_role(admin: Connection, role: str, attributes: str) -> None:
    exists = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    verb = "ALTER" if exists else "CREATE"
    admin.execute(sql.SQL("{} ROLE {} {}").format(sql.SQL(verb), sql.Identifier(role), sql.SQL(attributes)))
