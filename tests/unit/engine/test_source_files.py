"""The list of data sources: read whole, and every mistake in it named with its entry."""

import json
from pathlib import Path
from typing import Any

import pytest

from insight_engine.adapters.config.endpoints import source_credential
from insight_engine.adapters.config.sources import FileCatalog, load_sources
from insight_engine.domain.errors import ConfigurationError
from insight_engine.domain.sources import DataSource, Dialect, Role

SALES = {"name": "sales", "dialect": "postgres", "schemas": ["public"], "roles": ["analyst", "admin"]}
SHOP = SALES | {
    "name": "shop",
    "dialect": "mysql",
    "max_connections": 4,
    "grants": {
        "analyst": {
            "schemas": ["public"],
            "tables": ["public.orders"],
            "columns": {"public.customers": ["id", "city"]},
            "max_cost": 1e6,
        },
        "viewer": {},
    },
}


def written(folder: Path, *entries: Any) -> Path:
    path = folder / "sources.json"
    path.write_text(json.dumps({"sources": list(entries)}))
    return path


def test_a_source_is_read_with_its_grants(tmp_path: Path) -> None:
    sources = load_sources(written(tmp_path, SALES, SHOP))
    assert list(sources) == ["sales", "shop"]
    shop: DataSource = sources["shop"]
    assert (shop.dialect, shop.max_connections, sources["sales"].max_connections) == (Dialect.MYSQL, 4, 8)
    grants = shop.grants_of(Role.ANALYST)
    assert (grants.schemas, grants.tables) == (frozenset({"public"}), frozenset({"public.orders"}))
    assert grants.columns == {"public.customers": {"id", "city"}}
    assert shop.rule_of(Role.ANALYST).max_cost == 1e6
    assert shop.grants_of(Role.ADMIN).tables == frozenset()


def test_no_file_means_no_sources(tmp_path: Path) -> None:
    assert load_sources(tmp_path / "none.json") == {}


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        (SALES | {"grant": {}}, "grant"),
        (SALES | {"dialect": "oracle"}, "dialect"),
        (SALES | {"schemas": []}, "schemas"),
        (SALES | {"roles": ["root"]}, "roles"),
        (SALES | {"name": ""}, "name"),
        (SALES | {"max_connections": 0}, "max_connections"),
        (SALES | {"max_connections": True}, "max_connections"),
        (SALES | {"path": "/data"}, "path"),
        (SALES | {"dialect": "duckdb"}, "path"),
        (SALES | {"grants": {"root": {}}}, "grants.root"),
        (SALES | {"grants": {"analyst": {"table": []}}}, "grants.analyst.table"),
        (SALES | {"grants": {"analyst": {"tables": ["orders"]}}}, "grants.analyst.tables.0"),
        (SALES | {"grants": {"analyst": {"columns": {"public.a": []}}}}, "grants.analyst.columns.public.a"),
        (SALES | {"grants": {"analyst": {"max_cost": -1}}}, "grants.analyst.max_cost"),
        ({"name": "x"}, "dialect"),
        ("sales", "entry"),
    ],
)
def test_a_mistake_is_named_with_its_entry(tmp_path: Path, entry: Any, named: str) -> None:
    path = written(tmp_path, SALES | {"name": "first"}, entry)
    with pytest.raises(ConfigurationError) as refused:
        load_sources(path)
    assert f"{path}: sources[1]" in refused.value.message
    assert f"is not usable: {named}" in refused.value.message


def test_two_sources_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="another source has it"):
        load_sources(written(tmp_path, SALES, SALES))


@pytest.mark.parametrize("text", ["{", "[]", '{"sources": {}}', "[" * 100_000])
def test_a_file_that_is_no_list_of_sources_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sources.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=str(path)):
        load_sources(path)


def test_a_mistake_in_a_changed_file_keeps_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("insight_engine.adapters.config.secrets.RECHECK_S", 0)
    catalog = FileCatalog(written(tmp_path, SALES), tmp_path)
    written(tmp_path, SALES | {"grant": {}})
    assert list(catalog.all()) == ["sales"]
    written(tmp_path, SHOP)
    assert list(catalog.all()) == ["shop"]


def put_login(root: Path, **files: str) -> Path:
    (root / "source-sales").mkdir()
    for name, text in files.items():
        (root / "source-sales" / name).write_text(text)
    return root


def test_a_login_may_say_how_to_trust_its_server(tmp_path: Path) -> None:
    found = source_credential(
        put_login(tmp_path, host="h", sslmode="verify-full", sslrootcert="PEM"), "sales"
    )
    assert found is not None
    assert (found.sslmode, found.ca_pem, "PEM" in repr(found)) == ("verify-full", "PEM", False)


@pytest.mark.parametrize(
    ("files", "named"),
    [({"sslmode": "prefer"}, "sslmode"), ({"port": "70000"}, "port"), ({"port": "x"}, "port")],
)
def test_a_wrong_login_is_named(tmp_path: Path, files: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigurationError, match=f"Secret set source-sales: {named}"):
        source_credential(put_login(tmp_path, **files), "sales")
