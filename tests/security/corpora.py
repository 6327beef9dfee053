"""The corpora: attacks with the reason they must be refused for, and analysts' statements that must run."""

import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from insight_engine.domain.query import QueryLimits
from insight_engine.domain.sources import Catalog, DataSource, Dialect, Grants, Role
from insight_engine.sqlguard import PreparedQuery, prepare

FOLDER = Path(__file__).parent / "corpus"
CANARY = Path("/var/tmp") / f"insight-canary-{os.environ.get('PYTEST_XDIST_TESTRUNUID', 'single')}.txt"
CANARY_TEXT = "canary-5f1c9e"
DEFAULT_SCHEMA = {Dialect.POSTGRES: "public", Dialect.SQLITE: "main", Dialect.DUCKDB: "main"}


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
    folder = FOLDER / "benign"
    return (*_lines(folder / "common.txt"), *_lines(folder / f"{dialect}.txt"))


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
    return prepare(sql, source=of or source(dialect), grants=grants, limits=limits, catalog=known)


def _lines(path: Path) -> tuple[str, ...]:
    lines = path.read_text("utf-8").split("\n")
    return tuple(_characters(line) for line in lines if line.strip() and not line.startswith("# "))


def _characters(line: str) -> str:
    return re.sub(r"\{U\+([0-9A-F]{4,6})\}", lambda match: chr(int(match[1], 16)), line)
