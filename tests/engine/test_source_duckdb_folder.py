"""A folder of Parquet and CSV files as a DuckDB source: each file a table, nothing outside in reach."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from insight_engine.domain.source_errors import QueryFailed, SourceUnreachable
from insight_engine.domain.sources import Dialect
from support.file_sources import FileSource

SECRET = "n\n4711\n"


def parquet(path: Path, select: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(duckdb.connect()) as writer:
        writer.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lake = tmp_path / "lake"
    parquet(lake / "orders.parquet", "SELECT range AS id, range % 3 AS customer FROM range(1000)")
    parquet(lake / "events" / "year=2024" / "a.parquet", "SELECT 1 AS id")
    parquet(lake / "events" / "year=2025" / "b.parquet", "SELECT 2 AS id")
    (lake / "customers.csv").write_text('id,name\n0,Ann\n1,Bob\n2,"Cy, Jr"\n')
    (lake / "Odd name's.csv").write_text("a\n1\n")
    (lake / "notes.txt").write_text("no table")
    (lake / ".hidden.csv").write_text("a\n1\n")
    (tmp_path / "secret.csv").write_text(SECRET)
    return lake


@pytest.fixture
def lake(folder: Path) -> Iterator[FileSource]:
    source = FileSource(Dialect.DUCKDB, folder)
    yield source
    source.source.close()


def names(lake: FileSource) -> list[str]:
    return [table.full_name for table in lake.source.schema(timeout_s=20).tables]


def test_files_and_folders_of_files_are_tables_that_join(lake: FileSource) -> None:
    assert names(lake) == ["main.Odd name's", "main.customers", "main.events", "main.orders"]
    rows = lake.table(
        "SELECT c.name, count(*) AS n FROM orders o JOIN customers c ON c.id = o.customer"
        " GROUP BY 1 ORDER BY 1"
    )
    assert rows.to_pylist() == [
        {"name": "Ann", "n": 334},
        {"name": "Bob", "n": 333},
        {"name": "Cy, Jr", "n": 333},
    ]
    assert lake.table("SELECT year, id FROM events ORDER BY id").to_pylist() == [
        {"year": 2024, "id": 1},
        {"year": 2025, "id": 2},
    ]
    assert lake.table("""SELECT a FROM "Odd name's" """).to_pylist() == [{"a": 1}]


def test_the_schema_tells_columns_and_types(lake: FileSource) -> None:
    tables = {table.name: table for table in lake.source.schema(timeout_s=20).tables}
    assert [(c.name, c.type) for c in tables["customers"].columns] == [("id", "BIGINT"), ("name", "VARCHAR")]
    assert tables["orders"].kind == "file"


def test_a_changed_an_added_and_a_removed_file_are_seen(folder: Path, lake: FileSource) -> None:
    assert lake.table("SELECT count(*) AS n FROM customers").to_pylist() == [{"n": 3}]
    (folder / "customers.csv").write_text("id,name\n0,Ann\n")
    (folder / "more.csv").write_text("a\n1\n")
    (folder / "orders.parquet").unlink()
    assert lake.table("SELECT count(*) AS n FROM customers").to_pylist() == [{"n": 1}]
    assert names(lake) == ["main.Odd name's", "main.customers", "main.events", "main.more"]


def test_a_bad_file_is_one_missing_table(folder: Path, lake: FileSource) -> None:
    (folder / "bad.parquet").write_bytes(b"PAR1 no more")
    assert "main.bad" not in names(lake)
    assert lake.table("SELECT count(*) AS n FROM customers").to_pylist() == [{"n": 3}]
    (warning,) = [text for text in lake.source.check(timeout_s=20).warnings if "bad" in text]
    assert warning.startswith("Table main.bad cannot be read: ")
    assert str(folder) not in warning
    with pytest.raises(QueryFailed, match=r"Table main\.bad cannot be read"):
        lake.table("SELECT * FROM bad", tables=("main.bad",))


@pytest.mark.parametrize("link", ["loot.csv", "loot", "events/loot.parquet"])
def test_a_link_that_leads_out_is_no_table(folder: Path, lake: FileSource, link: str) -> None:
    parquet(folder.parent / "outside" / "x.parquet", "SELECT 4711 AS n")
    target = {"loot.csv": "secret.csv", "loot": "outside"}.get(link, "outside/x.parquet")
    (folder / link).symlink_to(folder.parent / target)
    name = link.split("/", maxsplit=1)[0].removesuffix(".csv")
    assert f"main.{name}" not in names(lake)
    assert any(name in text and "link" in text for text in lake.source.check(timeout_s=20).warnings)
    with pytest.raises(QueryFailed):
        lake.table(f"SELECT * FROM {name}")


def test_a_link_inside_the_folder_is_a_table(folder: Path, lake: FileSource) -> None:
    (folder / "people.csv").symlink_to("customers.csv")
    assert lake.table("SELECT count(*) AS n FROM people").to_pylist() == [{"n": 3}]


def test_two_files_of_one_name_are_told(folder: Path, lake: FileSource) -> None:
    (folder / "Orders.csv").write_text("a\n1\n")
    (warning,) = [text for text in lake.source.check(timeout_s=20).warnings if "same name" in text]
    assert "rders" in warning


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM '{folder}/../secret.csv'",
        "SELECT * FROM read_csv('{folder}/../secret.csv')",
        "SELECT * FROM read_text('{folder}/notes.txt')",
        "SELECT * FROM read_csv('{folder}/*.csv')",
        "SELECT * FROM glob('{folder}/*')",
        "SELECT * FROM read_blob('/etc/hostname')",
        "SELECT * FROM read_parquet('https://127.0.0.1:1/x.parquet')",
        "SELECT getenv('HOME')",
    ],
)
def test_nothing_but_the_tables_can_be_read(folder: Path, lake: FileSource, sql: str) -> None:
    with pytest.raises(QueryFailed):
        lake.table(sql.format(folder=folder))


def test_a_folder_that_is_missing_is_told_without_its_place(tmp_path: Path) -> None:
    source = FileSource(Dialect.DUCKDB, tmp_path / "nowhere")
    with pytest.raises(SourceUnreachable, match="No such file") as told:
        source.table("SELECT 1")
    assert str(tmp_path) not in told.value.message


def test_an_empty_folder_has_no_tables(tmp_path: Path) -> None:
    source = FileSource(Dialect.DUCKDB, tmp_path)
    assert source.source.schema(timeout_s=20).tables == ()
    assert source.table("SELECT 1 AS one").to_pylist() == [{"one": 1}]
    source.source.close()


def test_a_plan_reads_no_row_and_names_no_place(folder: Path, lake: FileSource) -> None:
    plan = lake.source.explain(lake.sealed("SELECT count(*) FROM customers WHERE id > 1"), timeout_s=20)
    assert (plan.cost, plan.rows) == (None, None)
    assert "CSV" in plan.text.upper()
    assert str(folder) not in plan.text
