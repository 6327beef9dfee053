"""What PostgreSQL says about itself: plans, what its login may read, which rights are too many."""

import re
import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final

import psycopg

from insight_engine.domain.catalog import Column, SourceSchema, Table
from insight_engine.domain.plans import Plan, SourceCheck

Connection = psycopg.Connection[tuple[Any, ...]]

_KINDS: Final = {
    "r": "table",
    "p": "table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
}
_TABLES: Final = """
    WITH found AS MATERIALIZED (
        SELECT c.oid, n.nspname, c.relname, c.relkind::text AS kind,
            CASE WHEN c.reltuples >= 0 AND c.relkind <> 'v' THEN c.reltuples::bigint END AS estimate,
            has_table_privilege(c.oid, 'SELECT') AS whole, obj_description(c.oid, 'pg_class') AS comment
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname = ANY(%s)
            AND has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')
    )
    SELECT f.nspname, f.relname, f.kind, f.comment, f.estimate,
        a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
        (SELECT d.description FROM pg_description d
            WHERE d.objoid = f.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = a.attnum)
    FROM found f
    JOIN pg_attribute a ON a.attrelid = f.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE f.whole OR has_column_privilege(f.oid, a.attnum, 'SELECT')
    ORDER BY f.nspname, f.relname, a.attnum
"""
_WRITE: Final = """
    SELECT count(*), min(format('%%I.%%I', n.nspname, c.relname)) FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
        AND has_schema_privilege(n.oid, 'USAGE')
        AND (has_table_privilege(c.oid, 'DELETE, TRUNCATE')
            OR has_any_column_privilege(c.oid, 'INSERT, UPDATE'))
"""
_OWNED: Final = """
    SELECT count(*), min(relname) FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        AND relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)
"""
_CREATE: Final = """
    SELECT count(*), min(quote_ident(nspname)) FROM pg_namespace
    WHERE nspname !~ '^pg_' AND has_schema_privilege(oid, 'CREATE')
"""
_SHADOWS: Final = """
    SELECT count(*), min(format('%%I.%%I', n.nspname, x.name)) FROM (
        SELECT oid, proname AS name, pronamespace AS namespace, 'pg_proc'::regclass AS class FROM pg_proc p
        WHERE EXISTS (SELECT FROM pg_proc b
            WHERE b.proname = p.proname AND b.pronamespace = 'pg_catalog'::regnamespace)
        UNION ALL
        SELECT oid, oprname, oprnamespace, 'pg_operator'::regclass FROM pg_operator p
        WHERE EXISTS (SELECT FROM pg_operator b
            WHERE b.oprname = p.oprname AND b.oprnamespace = 'pg_catalog'::regnamespace)
    ) x JOIN pg_namespace n ON n.oid = x.namespace
    WHERE n.nspname = ANY(%s) AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = x.class AND d.objid = x.oid AND d.deptype = 'e')
"""
_ATTRIBUTES: Final = """
    SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls,
        has_database_privilege(current_database(), 'TEMP'),
        has_database_privilege(current_database(), 'CREATE')
    FROM pg_roles WHERE rolname = current_user
"""
_ATTRIBUTE_WARNINGS: Final = (
    "The login is a superuser: it can read and change everything, files of the server included.",
    "The login may create roles (CREATEROLE), and so give itself rights.",
    "The login may create databases (CREATEDB).",
    "The login may replicate (REPLICATION), and so copy the whole cluster.",
    "The login bypasses row-level security (BYPASSRLS).",
    "The login may create temporary tables: REVOKE TEMP on the database from it and from PUBLIC.",
    "The login may create schemas: REVOKE CREATE on the database from it.",
)
_MEMBERSHIPS: Final = """
    SELECT rolname FROM pg_roles
    WHERE rolname LIKE 'pg\\_%%' AND rolname <> 'pg_database_owner'
        AND pg_has_role(current_user, oid, 'MEMBER') ORDER BY rolname
"""
_COST: Final = re.compile(r"\(cost=\d+\.\d+\.\.(\d+\.\d+) rows=(\d+)")


def plan(lines: Iterable[str]) -> Plan:
    """The plan in the lines that EXPLAIN printed; the first one has the total."""
    text = "\n".join(lines)
    found = _COST.search(text.split("\n", 1)[0])
    if found is None:
        return Plan(text, None, None)
    return Plan(text, float(found[1]), float(found[2]))


def schema(connection: Connection, schemas: tuple[str, ...]) -> SourceSchema:
    """Tables, views and their columns in those schemas, as far as the login may read them."""
    rows = connection.execute(_TABLES, (list(schemas),)).fetchall()
    tables = []
    for (place, name, kind, comment, estimate), group in groupby(rows, key=lambda row: row[:5]):
        columns = tuple(Column(row[5], row[6], row[7], row[8]) for row in group)
        tables.append(Table(place, name, _KINDS[kind], columns, comment, estimate))
    return SourceSchema(tuple(tables))


def check(connection: Connection, schemas: tuple[str, ...], started: float) -> SourceCheck:
    """The server's version, how long it took to get here, and sentences on rights that are too many."""
    version = _row(connection, "SELECT current_setting('server_version')")[0]
    milliseconds = (time.monotonic() - started) * 1000
    return SourceCheck(f"PostgreSQL {version}", milliseconds, tuple(_warnings(connection, schemas)))


def _warnings(connection: Connection, schemas: tuple[str, ...]) -> Iterator[str]:
    attributes = _row(connection, _ATTRIBUTES)
    yield from (text for has, text in zip(attributes, _ATTRIBUTE_WARNINGS, strict=True) if has)
    if attributes[0]:
        return  # a superuser passes every check that follows; one sentence says it all
    for (role,) in connection.execute(_MEMBERSHIPS).fetchall():
        yield f"The login is a member of {role}, which reaches beyond the tables granted to it: REVOKE it."
    counted = (
        (_OWNED, (), "The login owns {} tables, views or sequences, such as {}: an owner can change them."),
        (_WRITE, (), "The login may change the rows of {} tables, such as {}: grant it SELECT only."),
        (_CREATE, (), "The login may create objects in {} schemas, such as {}: REVOKE CREATE there."),
        (
            _SHADOWS,
            (list(schemas),),
            (
                "{} functions or operators of the source's schemas, such as {}, have the name of a built-in "
                "one and may be called in its place: rename them."
            ),
        ),
    )
    for statement, values, sentence in counted:
        count, example = _row(connection, statement, values)
        if count:
            yield sentence.format(count, example)
    missing = set(schemas) - {row[0] for row in connection.execute(_USABLE, (list(schemas),)).fetchall()}
    for name in sorted(missing):
        yield f'The schema "{name}" does not exist or the login has no USAGE on it.'


_USABLE: Final = (
    "SELECT nspname FROM pg_namespace WHERE nspname = ANY(%s) AND has_schema_privilege(oid, 'USAGE')"
)


def _row(connection: Connection, statement: str, values: tuple[Any, ...] = ()) -> tuple[Any, ...]:
    found = connection.execute(statement.encode(), values).fetchone()
    return found if found is not None else ()
