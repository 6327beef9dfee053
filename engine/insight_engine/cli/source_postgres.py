"""The script that makes a least-privilege login in PostgreSQL. Pure."""

from collections.abc import Iterator

from insight_engine.cli.source_names import Wanted, double_quoted, text


def script(wanted: Wanted) -> str:
    """The script, with the reason beside each part."""
    return "\n".join([*_login(wanted), *_database(), *_grants(wanted), *_check(wanted), ""])


def _login(wanted: Wanted) -> Iterator[str]:
    login = double_quoted(wanted.login)
    yield from (
        "-- A login for Insight Engine: it reads the tables named here and can do nothing else.",
        "-- Run it in the database that is to be queried, with psql, as a role that may create roles and",
        "-- that owns the schemas (or is a superuser). It may be run again.",
        "\\set ON_ERROR_STOP on",
        "BEGIN;",
        "",
        "-- 1. The login. NOINHERIT and no memberships: no right comes by a detour; above all never",
        "--    pg_read_all_data, which reads password hashes too. BYPASSRLS would skip your row rules.",
        f"SELECT NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {text(wanted.login)}) AS missing \\gset",  # noqa: S608 - quoted, and printed for a person, not run
        "\\if :missing",
        f"CREATE ROLE {login};",
        "\\endif",
        f"ALTER ROLE {login} LOGIN NOINHERIT",
        "    -- All workers together, and one more each for looking at schemas and for cancelling.",
        f"    CONNECTION LIMIT {wanted.connections};",
        "-- Then give it a password, which is asked for, hashed here and never shown:",
        f"--    \\password {login}",
        "",
        "-- 2. Limits that hold even where the engine sets none.",
        f"ALTER ROLE {login} SET default_transaction_read_only = on;",
        f"ALTER ROLE {login} SET statement_timeout = '{wanted.timeout_s}s';",
        f"ALTER ROLE {login} SET lock_timeout = '5s';",
        f"ALTER ROLE {login} SET idle_in_transaction_session_timeout = '60s';",
        "-- As a superuser, also against a full disk:",
        f"--    ALTER ROLE {login} SET temp_file_limit = '10GB';",
        "",
    )


def _database() -> Iterator[str]:
    yield from (
        "-- 3. What everybody has by default and no reader needs. This concerns all roles: grant it back to",
        "--    those that do need it. TEMP lets a reader fill the disk, CREATE on public lets it plant",
        "--    functions that others call by mistake.",
        "SELECT current_database() AS database \\gset",
        'REVOKE TEMPORARY ON DATABASE :"database" FROM PUBLIC;',
        "SELECT to_regnamespace('public') IS NOT NULL AS has_public \\gset",
        "\\if :has_public",
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC;",
        "\\endif",
    )


def _grants(wanted: Wanted) -> Iterator[str]:
    login = double_quoted(wanted.login)
    yield f'GRANT CONNECT ON DATABASE :"database" TO {login};'
    for schema in wanted.schemas:
        name, tables = double_quoted(schema), wanted.tables_of(schema)
        yield from ("", f"-- 4. Reading in {name}.", f"GRANT USAGE ON SCHEMA {name} TO {login};")
        if tables:
            yield from (f"GRANT SELECT ON {name}.{double_quoted(table)} TO {login};" for table in tables)
            continue
        yield f"GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO {login};"
        yield "--    Tables made later: this covers those that the role running this script makes. Repeat it"
        yield "--    with FOR ROLE other_owner for each further role that makes tables there."
        yield f"ALTER DEFAULT PRIVILEGES IN SCHEMA {name} GRANT SELECT ON TABLES TO {login};"


def _check(wanted: Wanted) -> Iterator[str]:
    yield from (
        "",
        "COMMIT;",
        "",
        "-- 5. Look: neither should find anything. What they find, a person gave it before: take it back.",
        "SELECT table_schema, table_name, privilege_type FROM information_schema.role_table_grants",
        f"WHERE grantee = {text(wanted.login)} AND privilege_type <> 'SELECT';",
        "SELECT rolname FROM pg_roles",
        f"WHERE pg_has_role({text(wanted.login)}, oid, 'MEMBER') AND rolname <> {text(wanted.login)}",
        f"   OR rolname = {text(wanted.login)}",
        "   AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls);",
    )
