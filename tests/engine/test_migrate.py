"""`migrate`: what it makes, that it may run again, and the outcome it leaves."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from insight_engine.adapters.store import migrations
from insight_engine.adapters.store.migrate_sqlite import migrate_sqlite
from insight_engine.adapters.store.tables import RESULTS_SCHEMA, REVISION, SCHEMA, VERSION_TABLE, metadata
from support.engine_process import EngineHome
from support.engines import APP_LOGIN
from support.servers import PostgresServer


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def home(postgres: PostgresServer) -> Iterator[EngineHome]:
    with EngineHome() as home:
        server = {"host": "127.0.0.1", "port": str(postgres.port)}
        home.put(
            "database-admin", **server, dbname="postgres", username="postgres", password=postgres.password
        )
        home.put("database", **server, dbname="insight", username=APP_LOGIN, password="first-password")
        yield home


def outcome(home: EngineHome, *arguments: str) -> tuple[int, dict[str, str], str]:
    log = home.path / "termination-log"
    log.write_text("")
    code, written = home.run("migrate", *arguments, INSIGHT_TERMINATION_LOG=str(log))
    return code, json.loads(log.read_text()), written


def test_it_succeeds_twice_and_tells_the_revision(home: EngineHome) -> None:
    assert outcome(home)[:2] == (0, {"outcome": "succeeded", "revision": REVISION})
    assert outcome(home)[:2] == (0, {"outcome": "succeeded", "revision": REVISION})


def test_two_at_once_both_succeed(home: EngineHome) -> None:
    both = [home.start("migrate"), home.start("migrate")]
    assert [command.process.wait(60) for command in both] == [0, 0]


def test_the_login_owns_nothing_and_acts_as_the_application(
    home: EngineHome, postgres: PostgresServer
) -> None:
    outcome(home)
    with psycopg.connect(_app_uri(postgres), autocommit=True) as app:
        assert app.execute("SELECT current_user, session_user").fetchone() == ("ie_app", APP_LOGIN)
        owners = app.execute(
            "SELECT DISTINCT schemaname, tableowner FROM pg_tables WHERE schemaname LIKE 'insight%'"
        ).fetchall()
        assert sorted(owners) == [(SCHEMA, "ie_owner"), (RESULTS_SCHEMA, "ie_app")]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("ALTER TABLE insight.users ADD COLUMN x int")


def _app_uri(postgres: PostgresServer, password: str = "first-password") -> str:
    return f"postgresql://{APP_LOGIN}:{password}@127.0.0.1:{postgres.port}/insight"


def test_a_changed_password_is_taken_up(home: EngineHome, postgres: PostgresServer) -> None:
    home.put("database", password="second-password")
    outcome(home)
    psycopg.connect(_app_uri(postgres, "second-password")).close()


def test_the_partitions_of_results_are_unlogged(home: EngineHome, postgres: PostgresServer) -> None:
    outcome(home)
    with psycopg.connect(postgres.admin_uri("insight")) as admin:
        kinds = admin.execute(
            "SELECT relkind, relpersistence FROM pg_class"
            " WHERE relname LIKE 'result_chunks%' AND relkind IN ('r', 'p')"
        ).fetchall()
    assert sorted(kinds) == [("p", "p"), ("r", "u")]


def test_the_first_admin_is_made_once(home: EngineHome, postgres: PostgresServer) -> None:
    outcome(home)
    home.put("bootstrap-admin", username="another", password="irrelevant")
    outcome(home)
    with psycopg.connect(postgres.admin_uri("insight")) as admin:
        assert admin.execute("SELECT username, role FROM insight.users").fetchall() == [("admin", "admin")]


def test_a_wrong_password_is_a_configuration_error(home: EngineHome) -> None:
    home.put("database-admin", password="CANARY-wrong")
    code, told, written = outcome(home)
    assert (code, told["code"]) == (78, "database_login_refused")
    assert "CANARY" not in written + told["message"]


def test_a_database_that_does_not_answer_is_retried_later(home: EngineHome) -> None:
    home.put("database-admin", port="1")
    code, told, _ = outcome(home, "--wait", "1")
    assert (code, told["code"]) == (75, "database_unreachable")


def test_a_schema_of_a_newer_release_is_left_alone_and_told(
    home: EngineHome, postgres: PostgresServer
) -> None:
    outcome(home)
    with psycopg.connect(postgres.admin_uri("insight"), autocommit=True) as admin:
        admin.execute(f"UPDATE {SCHEMA}.{VERSION_TABLE} SET version_num = '9999'")
    code, told, _ = outcome(home)
    with psycopg.connect(postgres.admin_uri("insight"), autocommit=True) as admin:
        admin.execute(f"UPDATE {SCHEMA}.{VERSION_TABLE} SET version_num = '{REVISION}'")
    assert (code, told["outcome"], told["code"]) == (78, "failed", "schema_newer")
    assert "9999" in told["message"]
    assert REVISION in told["message"]


def test_a_missing_secret_is_named(home: EngineHome) -> None:
    (home.secrets / "database" / "password").unlink()
    code, told, _ = outcome(home)
    assert (code, told["message"]) == (78, "Secret set database has no password. Add what is missing.")


def test_an_external_database_is_migrated_as_its_own_login(
    home: EngineHome, postgres: PostgresServer
) -> None:
    with psycopg.connect(postgres.admin_uri(), autocommit=True) as admin:
        admin.execute("CREATE ROLE tenant LOGIN PASSWORD 'tenant-password'")
        admin.execute("CREATE DATABASE tenant OWNER tenant")
    for file in (home.secrets / "database-admin").iterdir():
        file.unlink()
    uri = f"postgresql://tenant:tenant-password@127.0.0.1:{postgres.port}/tenant"
    home.put("database", uri=uri)
    assert outcome(home)[:2] == (0, {"outcome": "succeeded", "revision": REVISION})


def test_the_migrations_lead_to_the_schema_on_postgres(home: EngineHome, postgres: PostgresServer) -> None:
    outcome(home)
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(postgres.admin_uri("insight"))
    )
    with engine.connect() as connection:
        found = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _: kind != "schema" or str(name).startswith("insight"),
                "include_object": lambda _o, name, kind, *_: (
                    kind != "table" or not name.startswith(("result_chunks_", VERSION_TABLE))
                ),
            },
        )
        assert compare_metadata(found, metadata) == []
    engine.dispose()


def test_the_newest_migration_is_the_one_named() -> None:
    folder = Path(migrations.__file__ or "").parent
    assert ScriptDirectory(str(folder)).get_heads() == [REVISION]


def test_a_new_sqlite_store_is_what_the_migrations_lead_to(tmp_path: Path) -> None:
    migrated, made = tmp_path / "migrated.db", tmp_path / "made.db"
    migrated.touch()  # only a file that is not there yet is made without them
    assert migrate_sqlite(migrated) == migrate_sqlite(made) == REVISION
    assert _written_in(made) == _written_in(migrated)
    wanted = {t.name: {(c.name, int(not c.nullable)) for c in t.columns} for t in metadata.tables.values()}
    assert _columns_of(made) == wanted
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made.db", "migrated.db"]


def _written_in(path: Path) -> tuple[dict[tuple[str, str], str], list[tuple[str]]]:
    """Every table and index as it is declared, white space apart, and the revision."""
    with closing(sqlite3.connect(path)) as store:
        listed = store.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master").fetchall()
        revisions = store.execute(f"SELECT * FROM {VERSION_TABLE}").fetchall()
    return {(kind, name): "".join(sql.split()) for kind, name, sql in listed}, revisions


def _columns_of(path: Path) -> dict[str, set[tuple[str, int]]]:
    found: dict[str, set[tuple[str, int]]] = {}
    with closing(sqlite3.connect(path)) as store:
        for table, column, required in store.execute(
            'SELECT m.name, c.name, c."notnull" FROM sqlite_master m, pragma_table_info(m.name) c'
            " WHERE m.type = 'table' AND m.name <> ?",
            (VERSION_TABLE,),
        ):
            found.setdefault(table, set()).add((column, required))
    return found


def test_a_half_made_sqlite_store_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "store.new").write_bytes(b"what a crash left")
    assert migrate_sqlite(tmp_path / "store.db") == REVISION
    assert [path.name for path in tmp_path.iterdir()] == ["store.db"]
