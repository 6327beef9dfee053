"""The corpora: attacks with the reason they must be refused for, and analysts' statements that must run."""

import json
import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from insight_engine.domain.query import QueryLimits
from insight_engine.domain.sources import Catalog, DataSource, Dialect, Grants, Role
from insight_engine.sqlguard import Parameters, PreparedQuery, prepare

FOLDER = Path(__file__).parent / "corpus"
CANARY = Path("/var/tmp") / f"insight-canary-{os.environ.get('PYTEST_XDIST_TESTRUNUID', 'single')}.txt"
CANARY_TEXT = "canary-5f1c9e"
DEFAULT_SCHEMA = {dialect: "public" if dialect is Dialect.POSTGRES else "main" for dialect in Dialect}


@dataclass(frozen=True)
class Attack:
    dialect: Dialect
    codes: frozenset[str]
    attempts: str
    sql: str

    def __str__(self) -> str:
        return f"{self.dialect}: {self.attempts}: {self.sql[:60]}"


@cache
def attacks(dialect: Dialect) -> tuple[Attack, ...]:
    found = []
    for line in _lines(FOLDER / "hostile" / f"{dialect}.txt"):
        codes, attempts, sql = line.split(" | ", 2)
        found.append(
            Attack(dialect, frozenset(codes.split(",")), attempts, sql.replace("{CANARY}", str(CANARY)))
        )
    return tuple(found)


@cache
def benign(dialect: Dialect) -> tuple[str, ...]:
    """The analysts' statements; MySQL quotes names otherwise, so it has none in common with the others."""
    stems = (dialect.value,) if dialect is Dialect.MYSQL else ("common", dialect.value)
    paths = [path for stem in stems for path in sorted((FOLDER / "benign").glob(f"{stem}*.txt"))]
    return tuple(line for path in paths for line in _lines(path))


def values_of(sql: str) -> Parameters | None:
    """The values for a statement's placeholders, which follow it in a comment: `-- values: [1, "x"]`."""
    _, found, values = sql.rpartition("-- values: ")
    try:
        return json.loads(values) if found else None
    except ValueError:  # a mutant of such a statement
        return None


@cache
def catalog(dialect: Dialect) -> Catalog:
    content: dict[str, Any] = yaml.safe_load((FOLDER / "schema.yaml").read_text())
    return {DEFAULT_SCHEMA[dialect]: {table: tuple(columns) for table, columns in content.items()}}


def source(dialect: Dialect, path: str | None = None) -> DataSource:
    return DataSource("sample", dialect, (DEFAULT_SCHEMA[dialect],), frozenset(Role), path)


def judge(
    sql: str, dialect: Dialect, *, known: Catalog | None = None, of: DataSource | None = None
) -> PreparedQuery:
    grants = Grants(frozenset({DEFAULT_SCHEMA[dialect]}))
    limits = QueryLimits(timeout_s=20)
    return prepare(
        sql,
        source=of or source(dialect),
        grants=grants,
        limits=limits,
        parameters=values_of(sql),
        catalog=known,
    )


def _lines(path: Path) -> tuple[str, ...]:
    lines = path.read_text("utf-8").split("\n")
    return tuple(_characters(line) for line in lines if line.strip() and not line.startswith("# "))


def _characters(line: str) -> str:
    return re.sub(r"\{U\+([0-9A-F]{4,6})\}", lambda match: chr(int(match[1], 16)), line)
