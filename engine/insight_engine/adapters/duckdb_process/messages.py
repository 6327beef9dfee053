"""What the engine asks of its DuckDB process. Imports no DuckDB: the engine's side uses it too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

THREADS: Final = 2
"""Threads that one query computes with."""


@dataclass(frozen=True, slots=True)
class FileTable:
    """A table made of files.

    Attributes:
        kind: `parquet` or `csv`.
    """

    name: str
    kind: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Opening:
    """What to open.

    Attributes:
        path: a database file; None for a folder of data files.
        tables: the tables of a folder.
        schema: where unqualified tables are looked up.
        version: what the files looked like; a process that opened another version is not asked.
    """

    path: str | None
    schema: str
    tables: tuple[FileTable, ...] = ()
    version: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """One statement.

    Attributes:
        own: the engine's own text, not a caller's.
        plan: whether to return the plan in place of the rows.
        rows: whether to answer with plain rows in one frame, not with Arrow batches.
        cpu_s: processor seconds after which the process is ended.
    """

    sql: str
    cpu_s: float
    parameters: Sequence[Any] | Mapping[str, Any] = ()
    own: bool = False
    plan: bool = False
    rows: bool = False
