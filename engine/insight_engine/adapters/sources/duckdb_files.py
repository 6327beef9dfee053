"""Which files a DuckDB source is made of: one database file, or the data files of a folder.

In a folder each `name.parquet`, `name.csv` and each sub-folder of Parquet files is a table `main.name`.
A link that leads out of the folder is no table: whoever may add files to it could read any file through it.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from insight_engine.adapters.duckdb_process.messages import FileTable, Opening
from insight_engine.domain.source_errors import SourceMisconfigured, SourceUnreachable
from insight_engine.domain.sources import DataSource

MOST_FILES: Final = 10_000
_KINDS: Final = {".parquet": "parquet", ".csv": "csv"}
_PATTERN_CHARACTERS: Final = frozenset("*?[]{}")
Stamp = tuple[str, int, int, int]


def look(source: DataSource, path: Path) -> tuple[Opening, dict[str, str]]:
    """What to open as it is now, and why some files are no tables, by table.

    Raises:
        SourceUnreachable: there is nothing at that path, or it may not be read.
        SourceMisconfigured: the folder holds too many files.
    """
    schema = source.schemas[0] if source.schemas else "main"
    try:
        if not path.is_dir():
            stamps = [_stamp(path), *(_stamp(wal) for wal in [Path(f"{path}.wal")] if wal.exists())]
            return Opening(str(path), schema, version=tuple(stamps)), {}
        tables, problems = _tables(path.resolve(strict=True))
        stamps = [_stamp(Path(file)) for table in tables for file in table.files]
    except OSError as error:
        message = f"The files of data source {source.name} cannot be opened: {error.strerror}."
        raise SourceUnreachable(message) from None
    if len(stamps) > MOST_FILES:
        raise SourceMisconfigured(
            f"The folder of data source {source.name} holds more than {MOST_FILES} files: merge some."
        )
    return Opening(None, schema, tuple(tables), tuple(stamps)), problems


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return str(path), status.st_ino, status.st_mtime_ns, status.st_size


def _tables(root: Path) -> tuple[list[FileTable], dict[str, str]]:
    tables: dict[str, FileTable] = {}
    problems: dict[str, str] = {}
    for entry in sorted(root.iterdir()):
        kind = "parquet" if entry.is_dir() else _KINDS.get(entry.suffix.lower())
        if entry.name.startswith(".") or kind is None:
            continue
        name = entry.name if entry.is_dir() else entry.stem
        files = tuple(_files(root, entry))
        if problem := _problem(root, files, taken=name.lower() in tables):
            problems[name] = problem
        elif files:
            tables[name.lower()] = FileTable(name, kind, files)
    return list(tables.values()), problems


def _files(root: Path, entry: Path) -> Iterator[str]:
    """The real paths of a table's files, sorted."""
    if not entry.is_dir():
        yield os.path.realpath(entry)
        return
    real = Path(os.path.realpath(entry))
    if not real.is_relative_to(root):
        yield str(real)
        return
    for folder, folders, names in os.walk(real):
        folders.sort()
        for name in sorted(names):
            if name.lower().endswith(".parquet") and not name.startswith("."):
                yield os.path.realpath(Path(folder) / name)


def _problem(root: Path, files: tuple[str, ...], *, taken: bool) -> str | None:
    if any(not Path(file).is_relative_to(root) for file in files):
        return "it is, or holds, a link that leads out of the folder: put the file itself there"
    if any(_PATTERN_CHARACTERS & set(file) for file in files):
        return "its path holds one of * ? [ ] { }: rename it"
    return "another file makes a table of the same name: rename one" if taken and files else None
