"""DuckDB runs in a process that can do nothing else; ending it ends a query, and its death harms nobody."""

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from uuid import uuid4

import duckdb
import psutil
import pytest

from insight_engine.domain.query import QueryLimits
from insight_engine.domain.source_errors import (
    QueryCancelled,
    QueryFailed,
    QueryTimedOut,
    SourceError,
    SourceUnreachable,
)
from insight_engine.domain.sources import Dialect
from support.file_sources import FileSource
from support.waiting import eventually

ENDLESS = (
    "SELECT count(*) FROM range(1000000) a, range(1000000) b, range(1000) c"
    " WHERE a.range * b.range % 7 = c.range"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with closing(duckdb.connect(str(tmp_path / "d.duckdb"))) as database:
        database.execute("CREATE TABLE t AS SELECT range AS n FROM range(1000)")
    return tmp_path / "d.duckdb"


@pytest.fixture
def database(path: Path) -> Iterator[FileSource]:
    source = FileSource(Dialect.DUCKDB, path)
    yield source
    source.source.close()
    assert children() == []


def children() -> list[psutil.Process]:
    mine = psutil.Process().children(recursive=True)
    return [child for child in mine if "duckdb_process" in " ".join(child.cmdline())]


def started(database: FileSource, sql: str = ENDLESS) -> tuple[str, threading.Thread, list[BaseException]]:
    """A query that runs in another thread, surely in its process."""
    query_id, ended = str(uuid4()), list[BaseException]()

    def ask() -> None:
        try:
            list(database.source.stream(database.sealed(sql), query_id=query_id))
        except SourceError as error:
            ended.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    busy = lambda: any(sum(child.cpu_times()[:2]) > 0.6 for child in children())  # noqa: E731
    eventually("it computes", busy, 20)
    return query_id, thread, ended


def test_a_process_is_used_again_and_nothing_of_a_query_stays_in_it(database: FileSource) -> None:
    database.table("SELECT count(*) FROM t")
    (first,) = children()
    for statement in ("SET VARIABLE x = 1", "CREATE TEMP TABLE x (i int)", "ATTACH ':memory:' AS x"):
        with pytest.raises(QueryFailed, match="Only a single query"):
            database.table(statement)
    with pytest.raises(QueryFailed, match="Only a single query"):
        database.table("SELECT 1; SELECT 2")
    assert database.table("SELECT count(*) FROM t").column(0).to_pylist() == [1000]
    assert children() == [first]


def test_cancel_returns_when_the_process_is_gone_quickly(database: FileSource) -> None:
    took = []
    for _ in range(8):
        query_id, thread, ended = started(database)
        running = {child.pid for child in children()}
        begun = time.monotonic()
        assert database.source.cancel(query_id)
        took.append(time.monotonic() - begun)
        assert not any(psutil.pid_exists(pid) and busy(pid) for pid in running)
        thread.join(5)
        assert [type(error) for error in ended] == [QueryCancelled]
    print(f"cancel of DuckDB: median {statistics.median(took):.3f} s, most {max(took):.3f} s")
    assert statistics.median(took) < 0.3


def busy(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).cpu_times().user > 0.6
    return False


def gone(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE
    return True


def test_a_deadline_ends_the_process(database: FileSource) -> None:
    begun = time.monotonic()
    with pytest.raises(QueryTimedOut):
        database.table(ENDLESS, limits=QueryLimits(timeout_s=1))
    assert time.monotonic() - begun < 2
    assert database.table("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_a_killed_process_fails_its_query_and_not_the_next(database: FileSource) -> None:
    _, thread, ended = started(database)
    for child in children():
        child.send_signal(signal.SIGKILL)
    thread.join(5)
    assert isinstance(ended[0], QueryFailed)
    assert "ended (signal 9)" in ended[0].message
    assert database.table("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_a_process_that_died_while_it_waited_harms_nobody(database: FileSource) -> None:
    database.table("SELECT 1 AS one")
    for child in children():
        child.kill()
        child.wait(5)
    assert database.table("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_leaving_early_ends_the_work(database: FileSource) -> None:
    stream = database.source.stream(database.sealed("SELECT range FROM range(900000000000)"), query_id="q")
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert not any(busy(child.pid) for child in children())


def test_a_reader_that_pauses_holds_the_process_back(database: FileSource) -> None:
    stream = database.source.stream(
        database.sealed("SELECT range, repeat('x', 1000) AS x FROM range(3000000)"), query_id="q"
    )
    next(stream)
    (child,) = children()
    time.sleep(1)  # the very thing under test is that nothing happens meanwhile
    assert child.memory_info().rss < 600_000_000
    stream.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT list(range) FROM range(900000000)",
        "SELECT repeat('x', 100000 + 0 * range::int) AS v FROM range(1000000) ORDER BY v || range",
        "SELECT string_agg(repeat('x', 1000), '') FROM range(900000000)",
    ],
)
def test_a_query_that_wants_all_memory_fails_alone(database: FileSource, sql: str) -> None:
    with pytest.raises(QueryFailed, match=r"(?i)memory"):
        database.table(sql)
    assert database.table("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_a_changed_file_is_seen(path: Path, database: FileSource) -> None:
    assert database.table("SELECT count(*) AS n FROM t").to_pylist() == [{"n": 1000}]
    path.unlink()
    with closing(duckdb.connect(str(path))) as other:
        other.execute("CREATE TABLE t AS SELECT 1 AS n")
    assert database.table("SELECT count(*) AS n FROM t").to_pylist() == [{"n": 1}]


@pytest.mark.parametrize("content", [b"", b"no database" * 1000])
def test_a_file_that_is_no_database_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.duckdb").write_bytes(content)
    source = FileSource(Dialect.DUCKDB, tmp_path / "bad.duckdb")
    with pytest.raises(SourceUnreachable, match="cannot be opened") as told:
        source.table("SELECT 1")
    assert str(tmp_path) not in told.value.message
    source.source.close()


def test_a_file_that_another_process_writes_is_told(path: Path, database: FileSource) -> None:
    code = f"import duckdb; c = duckdb.connect({str(path)!r}); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout
        writer.stdout.readline()
        with pytest.raises(SourceUnreachable, match="cannot be opened"):
            database.table("SELECT 1")
        writer.kill()
    assert database.table("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_the_process_dies_with_the_engine(path: Path, tmp_path: Path) -> None:
    code = (
        "import sys, threading; sys.path.insert(0, 'tests')\n"
        "from pathlib import Path\n"
        "from insight_engine.domain.sources import Dialect\n"
        "from support.file_sources import FileSource\n"
        f"database = FileSource(Dialect.DUCKDB, Path({str(path)!r}))\n"
        f"database.table({ENDLESS!r})\n"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as engine:
        mine = psutil.Process(engine.pid)
        eventually("it computes", lambda: any(busy(c.pid) for c in mine.children()), 20)
        (child,) = mine.children()
        engine.kill()
        begun = time.monotonic()
        eventually("it is gone", lambda: gone(child), 5, every_s=0.01)
        print(f"DuckDB after SIGKILL of the engine: gone in {time.monotonic() - begun:.3f} s")


def test_the_process_inherits_nothing(database: FileSource) -> None:
    os.environ["CANARY"] = "secret"
    with Path(__file__).open() as inherited:
        os.set_inheritable(inherited.fileno(), True)  # noqa: FBT003 - it takes no keyword
        database.table("SELECT 1 AS one")
        (child,) = children()
        folder = Path("/proc") / str(child.pid)
        assert b"CANARY" not in (folder / "environ").read_bytes()
        assert (folder / "cwd").readlink() == Path("/")
        targets = {str(fd.readlink()) for fd in (folder / "fd").iterdir()}
    assert __file__ not in targets
    limits = (folder / "limits").read_text()
    assert "Max file size             0                    0" in limits
    status = (folder / "status").read_text()
    assert "Seccomp:\t2" in status
    assert "NoNewPrivs:\t1" in status


ATTEMPTS = {
    "a socket": "import socket; socket.socket()",
    "a program": "import os; os.execv('/bin/true', ['true'])",
    "a child": "import os; os.fork()",
    "another process": "import os; os.kill(os.getppid(), 0)",
    "a new file": "open('{folder}/new', 'w')",
    "an old file": "open('{folder}/old', 'r+')",
    "a removal": "import os; os.unlink('{folder}/old')",
    "a name": "import os; os.rename('{folder}/old', '{folder}/new')",
}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS.keys())
def test_a_confined_process_can_do_none_of_it(tmp_path: Path, attempt: str) -> None:
    (tmp_path / "old").write_text("kept")
    code = (
        "import os, socket, threading\n"
        "from insight_engine.adapters.duckdb_process.confine import confine\n"
        "assert confine(10**9)\n"
        "assert open('/proc/self/status').read(6) == 'Name:\\t'\n"
        "thread = threading.Thread(target=print); thread.start(); thread.join()\n"
        f"try: {attempt.format(folder=tmp_path)}\n"
        "except PermissionError: os._exit(7)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 7
    assert [file.name for file in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "kept"


def test_memory_is_bounded_by_the_kernel_too() -> None:
    code = (
        "from insight_engine.adapters.duckdb_process.confine import confine\n"
        "confine(100_000_000)\n"
        "try: bytearray(900_000_000)\n"
        "except MemoryError: print('bounded')\n"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "bounded\n"
