"""The program that runs DuckDB: opens one file or folder, then answers one statement at a time.

Runs what the engine sends it and decides nothing, but for one thing: a caller's text must be a single query.
It dies with the engine, whose end of the socket closes then.
"""

import json
import os
import pickle
import resource
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import duckdb
import pyarrow as pa

from insight_engine.adapters.duckdb_process import confine, frames
from insight_engine.adapters.duckdb_process.messages import THREADS, FileTable, Opening, Question
from insight_engine.adapters.memory import memory_share

BATCH_ROWS: Final = 16_384
FRAME_BYTES: Final = 8 * 1024 * 1024
IDLE_S: Final = 300.0
"""Seconds without a question after which the process ends: the next question starts another."""
KEPT_BYTES: Final = 384 * 1024**2
_SETTINGS: Final = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "allow_extension_repositories": "forbidden",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
    "arrow_lossless_conversion": "true",
    "max_temp_directory_size": "0B",
    "threads": str(THREADS),
    "async_threads": "1",
}
_READERS: Final = {"parquet": "read_parquet", "csv": "read_csv"}
_FATAL: Final = (duckdb.FatalException, duckdb.InternalException, MemoryError)
_DAY: Final = {"us": 86_400 * 10**6, "ns": 86_400 * 10**9}
_WRITE_OPTIONS: Final = pa.ipc.IpcWriteOptions(use_threads=False)


def main() -> None:
    """Serve the engine at the other end of standard input until it goes away; never returns."""
    link = socket.socket(fileno=0)
    threading.Thread(target=_leave_with_the_engine, daemon=True).start()
    # Nothing is worth a traceback: the engine sees the end of the socket and says so.
    with suppress(Exception):
        _serve(link)
    os._exit(0)


def _leave_with_the_engine() -> None:
    watch = select.poll()
    watch.register(0, select.POLLRDHUP)
    watch.poll()
    os._exit(0)


def _serve(link: socket.socket) -> None:
    _, told = frames.receive(link)
    opening: Opening = pickle.loads(told)  # noqa: S301 - the engine's own words
    memory = memory_share()
    confined = confine.confine(memory)
    try:
        database, problems = _opened(opening, memory)
    except (duckdb.Error, OSError, RuntimeError, MemoryError) as error:
        _complain(link, error, leaving=True)
        return
    ready = {"version": duckdb.__version__, "problems": problems, "confined": confined}
    frames.send(link, frames.READY, json.dumps(ready).encode())
    while select.select([link], [], [], IDLE_S)[0]:
        _, told = frames.receive(link)
        asked: Question = pickle.loads(told)  # noqa: S301 - the engine's own words
        if not _answer(link, database, asked, opening.schema):
            return


def _answer(link: socket.socket, database: duckdb.DuckDBPyConnection, asked: Question, schema: str) -> bool:
    """Answer one question; whether there is a next one."""
    confine.limit_cpu(asked.cpu_s)
    session = database.cursor()
    try:
        session.execute("SET search_path = ?", ['"' + schema.replace('"', '""') + '"'])
        if not asked.own:
            _insist_on_one_query(session, asked.sql)
        if asked.rows:
            frames.send(link, frames.ROWS, json.dumps(_rows(session, asked), default=str).encode())
        else:
            for batch in _batches(session, asked):
                frames.send(link, frames.BATCH, memoryview(_serialised(batch)))
    except (duckdb.Error, pa.ArrowException, RuntimeError, MemoryError, ValueError) as error:
        leaving = isinstance(error, _FATAL) or _is_large()
        _complain(link, error, leaving=leaving)
    else:
        leaving = _is_large()
        frames.send(link, frames.DONE, frames.LEAVING if leaving else b"")
    finally:
        session.close()
    return not leaving


def _is_large() -> bool:
    """Whether what earlier questions left in memory is more than a process that waits should hold."""
    with open("/proc/self/statm") as file:  # noqa: PTH123 - a file of the kernel
        return int(file.read().split()[1]) * resource.getpagesize() > KEPT_BYTES


def _insist_on_one_query(session: duckdb.DuckDBPyConnection, sql: str) -> None:
    kinds = [statement.type for statement in session.extract_statements(sql)]
    if kinds != [duckdb.StatementType.SELECT]:
        raise duckdb.PermissionException("Only a single query may run here.")


def _rows(session: duckdb.DuckDBPyConnection, asked: Question) -> list[Any]:
    text = f"EXPLAIN {asked.sql}" if asked.plan else asked.sql
    return list(session.execute(text, _bound(asked)).fetchall())


def _batches(session: duckdb.DuckDBPyConnection, asked: Question) -> Iterator[pa.RecordBatch]:
    reader = session.sql(asked.sql, params=_bound(asked)).to_arrow_reader(BATCH_ROWS)
    empty = True
    for batch in reader:
        for piece in _halved(batch):
            empty = False
            yield piece
    if empty:
        yield pa.RecordBatch.from_pylist([], schema=reader.schema)


def _bound(asked: Question) -> Any:
    return asked.parameters or None


def _halved(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch, or its halves while it is large."""
    if batch.nbytes <= FRAME_BYTES or batch.num_rows <= 1:
        if batch.num_rows:
            yield batch
        return
    half = batch.num_rows // 2
    yield from _halved(batch.slice(0, half))
    yield from _halved(batch.slice(half))


def _refuse_midnight(batch: pa.RecordBatch) -> None:
    """Arrow's times end before 24:00:00, DuckDB's with it: the engine would take the batch for broken."""
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if pa.types.is_time64(field.type):
            # In plain Python: numpy and Arrow's functions cannot be loaded where no file can be opened.
            latest = max((value for value in column.view(pa.int64()).to_pylist() if value), default=0)
            if latest >= _DAY[field.type.unit]:
                raise ValueError(
                    f"Column {field.name} holds the time 24:00:00, which cannot be returned as a time: "
                    f"write CAST({field.name} AS VARCHAR)."
                )


def _serialised(batch: pa.RecordBatch) -> pa.Buffer:
    _refuse_midnight(batch)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=_WRITE_OPTIONS) as writer:
        writer.write_batch(batch)
    data: pa.Buffer = sink.getvalue()
    if data.size > frames.MOST_BYTES:
        raise ValueError("A row is larger than can be returned: select less of it.")
    return data


def _complain(link: socket.socket, error: Exception, *, leaving: bool) -> None:
    message = "Out of memory" if isinstance(error, MemoryError) else str(error)
    frames.send(link, frames.ERROR, json.dumps({"message": message[:4000], "leaving": leaving}).encode())


def _opened(opening: Opening, memory: int) -> tuple[duckdb.DuckDBPyConnection, dict[str, str]]:
    settings: dict[str, Any] = _SETTINGS | {"memory_limit": f"{memory}B"}
    if opening.path is not None:
        database = duckdb.connect(opening.path, read_only=True, config=settings)
    else:
        database = duckdb.connect(":memory:", config=settings)
    files = [path for table in opening.tables for path in table.files]
    # In this order: without external access no other of them can be set any more.
    database.execute("SET temp_directory = ''")
    database.execute("SET allowed_paths = ?", [files])
    database.execute("SET enable_external_access = false")
    problems = {table.name: told for table in opening.tables if (told := _make(database, table))}
    database.execute("SET lock_configuration = true")
    return database, problems


def _make(database: duckdb.DuckDBPyConnection, table: FileTable) -> str | None:
    """Make a table of its files; what is wrong with them, if anything is."""
    name = '"' + table.name.replace('"', '""') + '"'
    files = ", ".join("'" + path.replace("'", "''") + "'" for path in table.files)
    try:
        # Not an injection: names are quoted, and they are those of files that the engine listed.
        database.execute(f"CREATE VIEW {name} AS SELECT * FROM {_READERS[table.kind]}([{files}])")  # noqa: S608
    except (duckdb.Error, RuntimeError) as error:
        return str(error)[:1000]
    return None
