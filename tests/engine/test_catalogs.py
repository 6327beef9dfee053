"""What sources contain: read by a worker every few minutes, known to the API without asking a source."""

import asyncio
import gc
import time
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from insight_engine.adapters.store.catalogs import StoredCatalogs
from insight_engine.adapters.store.database import Database, open_sqlite
from insight_engine.adapters.store.migrate_sqlite import migrate_sqlite
from insight_engine.adapters.store.tables import catalogs
from insight_engine.domain.catalog import Column, SourceSchema, Table
from insight_engine.domain.errors import EngineError
from insight_engine.domain.source_errors import SourceUnreachable
from insight_engine.domain.sources import DataSource, Dialect, Grants, Role, RoleRule
from insight_engine.services import catalogs as catalogs_module
from insight_engine.services.catalog_format import packed, unpacked, unpacked_names
from insight_engine.services.catalogs import CatalogService
from insight_engine.services.control import granted
from support.async_waiting import true, until

SALES = DataSource("sales", Dialect.POSTGRES, ("public",), frozenset({Role.ANALYST}))
ORDERS = Table(
    "public", "orders", "table", (Column("id", "bigint", nullable=False, comment="key"),), "All orders", 7
)
SCHEMA = SourceSchema((ORDERS, Table("public", "Zeilen ü", "view", (Column("a b", "text"),))))


class Told:
    """A source that counts how often it is asked what it contains."""

    def __init__(self, schema: SourceSchema = SCHEMA) -> None:
        self.reads, self.told, self.away = 0, schema, False

    def schema(self, *, timeout_s: float) -> SourceSchema:
        assert timeout_s > 0
        self.reads += 1
        time.sleep(0.05)  # as long as it takes for others to come and want the same
        if self.away:
            raise SourceUnreachable("It does not answer.")
        return self.told

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not to be used")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    migrate_sqlite(tmp_path / "store.db")
    database = open_sqlite(tmp_path / "store.db")
    yield database
    await database.close()


async def age(database: Database, seconds: float) -> None:
    async with database.statement() as connection:
        then = datetime.now(UTC) - timedelta(seconds=seconds)
        await connection.execute(update(catalogs).values(fetched_at=then))


async def known_within(service: CatalogService, source: DataSource, seconds: float) -> Any:
    await true("they are known", lambda: service.known(source) is not None, seconds)
    return service.known(source)


def test_the_stored_form_keeps_everything() -> None:
    assert unpacked(packed(SCHEMA)) == SCHEMA
    assert unpacked_names(packed(SCHEMA)) == SCHEMA.names()


async def test_a_source_is_read_once_for_all_who_want_it(database: Database) -> None:
    worker, told = CatalogService(StoredCatalogs(database)), Told()
    found = await asyncio.gather(*(worker.ensure(SALES, told) for _ in range(20)))
    assert all(names == SCHEMA.names() for names in found)
    assert told.reads == 1
    other = CatalogService(StoredCatalogs(database))
    assert await other.ensure(SALES, told) == SCHEMA.names()
    assert await other.ensure(SALES, None) == SCHEMA.names()
    assert told.reads == 1


async def test_an_old_catalog_is_read_again_before_it_is_judged_by(database: Database) -> None:
    told = Told()
    await CatalogService(StoredCatalogs(database)).ensure(SALES, told)
    await age(database, 601)
    told.told = SourceSchema(())
    assert await CatalogService(StoredCatalogs(database)).ensure(SALES, told) == {}
    assert told.reads == 2


async def test_an_ageing_catalog_is_read_again_in_the_background(database: Database) -> None:
    told = Told()
    await CatalogService(StoredCatalogs(database)).ensure(SALES, told)
    await age(database, 301)
    worker = CatalogService(StoredCatalogs(database))
    told.told = SourceSchema((ORDERS,))
    await worker.ensure(SALES, told)  # takes up what is stored
    assert await worker.ensure(SALES, told) == SCHEMA.names()  # at once, with what is known

    async def taken_up() -> bool:
        return await worker.ensure(SALES, told) == SourceSchema((ORDERS,)).names()

    await until("the new one is used", taken_up, 5)
    assert told.reads == 2


async def test_a_source_that_does_not_answer_is_said_so(database: Database) -> None:
    told = Told()
    told.away = True
    worker = CatalogService(StoredCatalogs(database))
    with pytest.raises(SourceUnreachable):
        await worker.ensure(SALES, told)
    with pytest.raises(EngineError, match="not known yet"):
        await worker.ensure(SALES, None)
    told.away = False
    assert await worker.ensure(SALES, told) == SCHEMA.names()


async def test_changed_settings_make_the_stored_catalog_worthless(database: Database) -> None:
    told, moved = Told(), replace(SALES, schemas=("public", "hr"))
    worker = CatalogService(StoredCatalogs(database))
    await worker.ensure(SALES, told)
    assert await worker.stored(moved) is None
    assert worker.known(moved) is None
    await worker.ensure(moved, told)
    assert told.reads == 2
    assert worker.known(SALES) is None
    stricter = replace(moved, rules=(RoleRule(Role.ANALYST, tables=("public.orders",)),))
    await worker.ensure(stricter, told)  # who may read it is not what it contains
    assert told.reads == 2


async def test_the_api_learns_from_the_store_without_waiting(database: Database) -> None:
    now = [0.0]
    api, worker, told = (
        CatalogService(StoredCatalogs(database), lambda: now[0]),
        CatalogService(StoredCatalogs(database)),
        Told(),
    )
    assert api.known(SALES) is None
    assert api.age_s(SALES) is None
    await worker.ensure(SALES, told)
    now[0] += catalogs_module.LOOK_AGAIN_S + 1
    assert await known_within(api, SALES, 5) == SCHEMA.names()
    age_s = api.age_s(SALES)
    assert age_s is not None
    assert age_s < 5
    told.told = SourceSchema((ORDERS,))
    await worker.read(SALES, told)
    assert api.known(SALES) == SCHEMA.names()  # it looks at most every few seconds …
    assert await api.reload(SALES) == SourceSchema((ORDERS,)).names()  # … unless told to


async def test_a_store_that_is_away_leaves_what_is_known(database: Database) -> None:
    now = [0.0]
    api = CatalogService(StoredCatalogs(database), lambda: now[0])
    await CatalogService(StoredCatalogs(database)).ensure(SALES, Told())
    await api.reload(SALES)
    api._store = StoredCatalogs(open_sqlite(Path("/nonexistent/store.db")))
    now[0] += 60
    assert api.known(SALES) == SCHEMA.names()
    await asyncio.gather(*api._tasks.values())
    assert api.known(SALES) == SCHEMA.names()


async def test_many_sources_take_a_bounded_room(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogs_module, "MAX_TABLES", 5)
    worker = CatalogService(StoredCatalogs(database))
    sources = [replace(SALES, name=f"s{n}") for n in range(4)]
    for source in sources:
        await worker.ensure(source, Told())  # two tables each
    assert sorted(worker._known) == ["s2", "s3"]
    assert await worker.ensure(sources[0], None) == SCHEMA.names()  # the store has it still


async def test_twenty_thousand_tables_fit(database: Database) -> None:
    columns = tuple(Column(f"column_{n}", "character varying") for n in range(20))
    large = SourceSchema(tuple(Table("public", f"table_{n}", "table", columns) for n in range(20_000)))
    await CatalogService(StoredCatalogs(database)).ensure(SALES, Told(large))
    api = CatalogService(StoredCatalogs(database))
    tracemalloc.start()
    await api.reload(SALES)
    gc.collect()
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"20,000 tables: {kept / 2**20:.1f} MiB kept, {peak / 2**20:.1f} MiB at most")
    assert kept < 16 * 2**20
    assert peak < 200 * 2**20


def test_only_what_is_granted_is_shown() -> None:
    schema = SourceSchema(
        (
            Table("hr", "pay", "table", (Column("id", "int"),)),
            Table("public", "customers", "table", (Column("id", "int"), Column("email", "text"))),
            ORDERS,
        )
    )
    public = frozenset({"public"})
    assert granted(schema, Grants(public)).tables == schema.tables[1:]
    assert granted(schema, Grants(public, frozenset({"public.orders"}))).tables == (ORDERS,)
    columns = {"public.customers": frozenset({"id"})}
    assert granted(schema, Grants(public, columns=columns)).names() == {
        "public": {"customers": ("id",), "orders": ("id",)}
    }
    assert granted(schema, Grants(frozenset())).tables == ()
