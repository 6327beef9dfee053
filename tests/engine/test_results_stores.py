"""The result stores beside the database: what is put is got, what is lost is said, nothing hangs."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from insight_engine.adapters.results import s3 as s3_module
from insight_engine.adapters.results.choose import check_results, open_results
from insight_engine.adapters.results.folder import FolderChunks
from insight_engine.adapters.results.routed import RoutedChunks
from insight_engine.adapters.results.s3 import S3Chunks, s3_login, watched_store
from insight_engine.domain.errors import ConfigurationError, Unavailable
from insight_engine.domain.jobs import Attempt, Job
from insight_engine.domain.query import QueryState
from insight_engine.ports import Chunks
from insight_engine.settings import Settings
from support.s3 import S3Server

TODAY = datetime.now(UTC).date()


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


def put_set(root: Path, **files: str) -> Path:
    (root / "results").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (root / "results" / name).write_text(text)
    return root


@pytest.fixture(params=["folder", "s3", "s3 with prefix"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Chunks:
    if request.param == "folder":
        return FolderChunks(tmp_path / "results")
    server: S3Server = request.getfixturevalue("s3_server")
    prefix = {"prefix": "/a/b/"} if "prefix" in request.param else {}
    return S3Chunks(watched_store(put_set(tmp_path, **server.secret(**prefix))))


def job(query: UUID | None = None, *, day: date = TODAY, **facts: Any) -> Job:
    known: dict[str, Any] = {"result_id": None, "result_attempt": None, "attempt": 1, "result_store": None}
    known["state"] = QueryState.SUCCEEDED
    return cast("Job", SimpleNamespace(id=query or uuid4(), result_bucket=day, **(known | facts)))


def attempt_at(of: Job, number: int = 1) -> Attempt:
    return Attempt(of, number, 1, cast("date", of.result_bucket))


async def test_what_is_put_is_got_and_counted(store: Chunks) -> None:
    mine = job()
    await store.prepare(TODAY)
    for seq in range(12):
        await store.put(attempt_at(mine), seq, b"%d" % seq * 1000, 5)
    assert [await store.get(mine, seq) for seq in (0, 1, 11)] == [b"0" * 1000, b"1" * 1000, b"11" * 1000]
    assert await store.count(mine) == 12


async def test_what_is_not_there_is_none(store: Chunks) -> None:
    mine = job()
    await store.prepare(TODAY)
    await store.put(attempt_at(mine), 0, b"x", 1)
    assert (await store.get(mine, 1), await store.get(job(), 0), await store.count(job())) == (None, None, 0)


async def test_attempts_are_apart_and_a_shared_result_is_found(store: Chunks) -> None:
    mine = job(attempt=2)
    await store.prepare(TODAY)
    await store.put(attempt_at(mine, 1), 0, b"first", 1)
    await store.put(attempt_at(mine, 2), 0, b"second", 1)
    assert await store.get(mine, 0) == b"second"
    assert await store.get(job(result_id=mine.id, result_attempt=1), 0) == b"first"


async def test_old_days_are_dropped_and_nothing_else(store: Chunks) -> None:
    days = [TODAY - timedelta(days=age) for age in (0, 2, 3, 40)]
    jobs = [job(day=day) for day in days]
    for each in jobs:
        await store.prepare(cast("date", each.result_bucket))
        for seq in range(3):
            await store.put(attempt_at(each), seq, b"x", 1)
    await store.drop_expired(keep_days=2)
    assert [await store.count(each) for each in jobs] == [3, 3, 0, 0]


async def test_more_objects_than_one_list_holds_are_dropped(
    s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_module, "LISTED", 3)
    store = S3Chunks(watched_store(put_set(tmp_path, **s3_server.secret(prefix="many"))))
    old = job(day=TODAY - timedelta(days=9))
    for seq in range(8):
        await store.put(attempt_at(old), seq, b"x", 1)
    await store.drop_expired(keep_days=2)
    assert not [key for key in s3_server.stored() if key.startswith("many/")]


async def test_a_folder_that_is_gone_is_away_not_empty(tmp_path: Path) -> None:
    store = FolderChunks(tmp_path / "unmounted")
    with pytest.raises(Unavailable):
        await store.get(job(), 0)
    with pytest.raises(Unavailable):
        await store.count(job())


async def test_a_folder_keeps_no_half_written_chunk_and_lets_nobody_else_read(tmp_path: Path) -> None:
    store, mine = FolderChunks(tmp_path / "results"), job()
    await asyncio.gather(*(store.put(attempt_at(mine), seq, b"x" * 100_000, 1) for seq in range(20)))
    files = [path for path in (tmp_path / "results").rglob("*") if path.is_file()]
    assert sorted(int(path.name) for path in files) == list(range(20))
    assert {oct(path.stat().st_mode & 0o777) for path in files} == {oct(0o600)}
    assert oct((tmp_path / "results").stat().st_mode & 0o777) == oct(0o700)


async def test_a_folder_that_cannot_be_written_is_away(tmp_path: Path) -> None:
    (tmp_path / "results").touch()
    with pytest.raises(Unavailable):
        await FolderChunks(tmp_path / "results").put(attempt_at(job()), 0, b"x", 1)


@pytest.mark.parametrize("changes", [{"endpoint": "http://127.0.0.1:1"}, {"bucket": "another"}])
async def test_a_bucket_that_cannot_be_had_is_away_soon(
    s3_server: S3Server, tmp_path: Path, changes: dict[str, str]
) -> None:
    store = S3Chunks(watched_store(put_set(tmp_path, **s3_server.secret(**changes))))
    started = time.monotonic()
    for call in (store.get(job(), 0), store.count(job()), store.put(attempt_at(job()), 0, b"x", 1)):
        with pytest.raises(Unavailable) as away:
            await call
        assert (away.value.code, "127.0.0.1" in away.value.message) == ("result_store_unavailable", False)
    assert time.monotonic() - started < 15


async def test_a_store_that_never_answers_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_module, "CALL_S", 1.0)
    silent = await asyncio.start_server(lambda _reader, _writer: asyncio.sleep(30), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    files = {"endpoint": f"http://127.0.0.1:{port}", "bucket": "b", "region": "r"}
    keys = {"access_key_id": "a", "secret_access_key": "b"}
    store = S3Chunks(watched_store(put_set(tmp_path, **files, **keys)))
    started = time.monotonic()
    with pytest.raises(Unavailable):
        await store.get(job(), 0)
    assert time.monotonic() - started < 3
    silent.close()


async def test_a_rotated_login_is_taken_up(s3_server: S3Server, tmp_path: Path) -> None:
    store = S3Chunks(watched_store(put_set(tmp_path, **s3_server.secret(endpoint="http://127.0.0.1:1"))))
    with pytest.raises(Unavailable):
        await store.count(job())
    put_set(tmp_path, endpoint=s3_server.endpoint)
    for _ in range(40):
        try:
            assert await store.count(job()) == 0
        except Unavailable:
            await asyncio.sleep(0.1)
        else:
            return
    raise AssertionError("the new login was not taken up")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"endpoint": "minio:9000"}, "endpoint"),
        ({"endpoint": "ftp://x"}, "endpoint"),
        ({"endpoint": "https://user:pw@x"}, "endpoint"),
        ({"bucket": ""}, "bucket"),
        ({"secret_access_key": ""}, "secret_access_key"),
    ],
)
def test_a_wrong_login_is_refused_without_showing_it(
    tmp_path: Path, changes: dict[str, str], named: str
) -> None:
    files = {"endpoint": "https://s3", "bucket": "b", "region": "r", "access_key_id": "HUSH"}
    put_set(tmp_path, **(files | {"secret_access_key": "HUSH-HUSH"} | changes))
    with pytest.raises(ConfigurationError) as refused:
        s3_login(tmp_path)
    assert named in refused.value.message
    assert "HUSH" not in refused.value.message


def test_a_login_does_not_show_its_keys(tmp_path: Path) -> None:
    files = {"endpoint": "http://s3:9000", "bucket": "b", "region": "r", "prefix": "p/"}
    login = s3_login(put_set(tmp_path, **files, access_key_id="HUSH", secret_access_key="HUSH"))
    assert ("HUSH" in repr(login), login.prefix) == (False, "p")


def test_a_missing_set_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Secret set results is not mounted"):
        check_results(Settings(result_store="s3", secrets_dir=tmp_path))


async def test_each_query_is_read_from_the_store_its_row_names(tmp_path: Path) -> None:
    written = FolderChunks(tmp_path / "results")
    stored = SimpleNamespace(name="database", transactional=True, get=lambda *_: asyncio.sleep(0, b"row"))
    settings = Settings(secrets_dir=tmp_path / "none", result_dir=tmp_path / "results")
    await written.put(attempt_at(mine := job(result_store="folder")), 0, b"file", 1)
    chunks = open_results(settings, cast("Chunks", stored))
    assert isinstance(chunks, RoutedChunks)
    assert (chunks.name, chunks.transactional) == ("database", True)
    assert await chunks.get(mine, 0) == b"file"
    assert await chunks.get(job(result_store="database"), 0) == b"row"
    assert await chunks.get(job(result_store=None), 0) == b"row"
    with pytest.raises(Unavailable, match="no longer uses"):
        await chunks.get(job(result_store="s3"), 0)


async def test_a_running_query_is_read_from_the_store_that_is_written_now(tmp_path: Path) -> None:
    stored = SimpleNamespace(name="database", transactional=True, get=lambda *_: asyncio.sleep(0, b"row"))
    settings = Settings(secrets_dir=tmp_path / "none", result_store="folder", result_dir=tmp_path / "results")
    chunks = open_results(settings, cast("Chunks", stored))
    running = job(state=QueryState.RUNNING)
    await chunks.put(attempt_at(running), 0, b"file", 1)
    assert await chunks.get(running, 0) == b"file"
