"""What MySQL or MariaDB says about itself: plans, what its login may read, which rights are too many."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from typing import Any, Final

from insight_engine.adapters.sources.mysql_connect import Connection
from insight_engine.domain.catalog import Column, SourceSchema, Table
from insight_engine.domain.plans import Plan, SourceCheck

_TABLES: Final = """
    SELECT t.TABLE_SCHEMA, t.TABLE_NAME, t.TABLE_TYPE, t.TABLE_COMMENT, t.TABLE_ROWS,
        c.COLUMN_NAME, c.COLUMN_TYPE, c.IS_NULLABLE, c.COLUMN_COMMENT
    FROM information_schema.TABLES t
    JOIN information_schema.COLUMNS c ON c.TABLE_SCHEMA = t.TABLE_SCHEMA AND c.TABLE_NAME = t.TABLE_NAME
    WHERE t.TABLE_SCHEMA = %s AND c.TABLE_SCHEMA = %s AND c.PRIVILEGES LIKE '%%select%%'
    ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION
"""
_REACHING: Final = (
    ("ALL PRIVILEGES", "has every right: it can read and change everything"),
    ("SUPER", "has SUPER: it can change the server's settings and end others' queries"),
    ("FILE", "has FILE: it can read and write files of the server"),
    ("PROCESS", "has PROCESS: it sees the statements of everybody else"),
    ("GRANT OPTION", "may hand its rights on (GRANT OPTION)"),
    ("CREATE USER", "may create logins (CREATE USER)"),
    ("SHUTDOWN", "may stop the server (SHUTDOWN)"),
    ("RELOAD", "has RELOAD: it can flush caches and lock tables"),
    ("REPLICATION SLAVE", "may replicate, and so copy everything"),
)
_WRITES: Final = (
    "INSERT",
    "UPDATE",
    "DELETE",
    "DROP",
    "CREATE",
    "ALTER",
    "INDEX",
    "TRIGGER",
    "EVENT",
    "EXECUTE",
)
_GRANT: Final = re.compile(r"GRANT (?P<rights>.+?) ON (?:TABLE |)(?P<object>\S+) TO ", re.DOTALL)
_SYSTEM: Final = ("`mysql`", "*.*")


def plan(document: str) -> Plan:
    """The plan that EXPLAIN FORMAT=JSON printed, with its cost where this server estimates one."""
    cost: float | None = None
    with suppress(ValueError, TypeError, AttributeError, KeyError):
        block = json.loads(document)["query_block"]
        found = block.get("cost_info", {}).get("query_cost", block.get("cost"))
        cost = None if found is None else float(found)
    return Plan(document, cost, None)


def schema(connection: Connection, schemas: tuple[str, ...]) -> SourceSchema:
    """Tables, views and their columns in those schemas, as far as the login may read them."""
    tables = []
    with connection.cursor() as cursor:
        for place in sorted(schemas):
            cursor.execute(_TABLES, (place, place))
            for (_, name, kind, comment, rows), group in groupby(cursor.fetchall(), key=lambda row: row[:5]):
                columns = tuple(Column(row[5], row[6], row[7] == "YES", row[8] or None) for row in group)
                is_view = "VIEW" in kind
                note = comment if comment and not (is_view and comment == "VIEW") else None
                estimate = None if is_view or rows is None else int(rows)
                tables.append(Table(place, name, "view" if is_view else "table", columns, note, estimate))
    return SourceSchema(tuple(tables))


def check(connection: Connection, schemas: tuple[str, ...], started: float) -> SourceCheck:
    """The server's version, how long it took to get here, and sentences on rights that are too many."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        version = str((cursor.fetchone() or ("",))[0])
        milliseconds = (time.monotonic() - started) * 1000
        cursor.execute("SHOW GRANTS FOR CURRENT_USER()")
        grants = [str(row[0]) for row in cursor.fetchall()]
        cursor.execute("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA")
        missing = set(schemas) - {row[0] for row in cursor.fetchall()}
    kind = "MariaDB" if "mariadb" in version.lower() else "MySQL"
    unseen = (
        f"The schema `{name}` does not exist or the login may read nothing in it." for name in sorted(missing)
    )
    return SourceCheck(f"{kind} {version}", milliseconds, (*warnings(grants), *unseen))


def warnings(grants: list[str]) -> tuple[str, ...]:
    """Sentences on what the lines of SHOW GRANTS give beyond reading tables."""
    return tuple(dict.fromkeys(sentence for line in grants for sentence in _of_line(line)))


def _of_line(line: str) -> Iterator[str]:
    found = _GRANT.match(line)
    if found is None:
        return
    rights = {re.sub(r"\s*\(.*\)", "", right).strip().upper() for right in _split(found["rights"])}
    if "WITH GRANT OPTION" in line:
        rights.add("GRANT OPTION")
    for right, sentence in _REACHING:
        if right in rights:
            yield f"The login {sentence}, on {found['object']}: REVOKE it."
    if writes := [right for right in _WRITES if right in rights]:
        yield f"The login may {', '.join(writes)} on {found['object']}: grant it SELECT only."
    if "SELECT" in rights and found["object"].startswith(_SYSTEM):
        yield f"The login may read {found['object']}, password hashes too: grant its schemas only."


def _split(rights: str) -> list[Any]:
    return re.split(r",\s*(?![^()]*\))", rights)
