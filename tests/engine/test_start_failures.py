"""What stops a command at its start leaves one sentence, an exit code for who must act, and no files."""

import socket
from collections.abc import Iterator

import psycopg
import pytest

from support.engine_process import EngineHome
from support.servers import PostgresServer


@pytest.fixture
def home() -> Iterator[EngineHome]:
    with EngineHome() as home:
        server = {"host": "127.0.0.1", "port": "1"}
        home.put("database", **server, dbname="insight", username="x", password="CANARY")
        home.put("broker", **server, username="x", password="CANARY")
        yield home


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_port_that_is_taken_is_named(home: EngineHome, command: str) -> None:
    with socket.socket() as holder:
        holder.bind(("0.0.0.0", 0))
        holder.listen()
        port = holder.getsockname()[1]
        process = home.start(command, internal_port=port)
        assert process.process.wait(60) == 78
    assert f"INSIGHT_INTERNAL_PORT is {port}" in process.log
    assert "Traceback" not in process.log
    assert list(home.tmp.iterdir()) == []


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_mistake_leaves_no_run_folder(home: EngineHome, command: str) -> None:
    (home.path / "sources.json").write_text("{")
    code, log = home.run(command)
    assert (code, "Traceback" in log) == (78, False)
    assert list(home.tmp.iterdir()) == []


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_folder_that_is_none_is_named(home: EngineHome, command: str) -> None:
    (home.path / "a-file").write_text("")
    code, log = home.run(command, INSIGHT_TMP_DIR=str(home.path / "a-file"))
    assert code == 78
    assert "INSIGHT_TMP_DIR" in log
    assert "Traceback" not in log


EXTERNAL = {
    "no such database": ("nowhere", "", "The server has no database of that name"),
    "no encryption": ("postgres", "?sslmode=require", "No encrypted connection"),
    "a wrong option": ("postgres", "?sslmode=perhaps", "No encrypted connection"),
}


@pytest.mark.parametrize(("dbname", "options", "sentence"), EXTERNAL.values(), ids=EXTERNAL.keys())
def test_an_external_database_that_refuses_is_for_a_person_to_correct(
    home: EngineHome, postgres: PostgresServer, dbname: str, options: str, sentence: str
) -> None:
    home.put("database", uri=postgres.admin_uri(dbname) + options)
    code, log = home.run("migrate", "--wait", "5")
    assert code == 78, log
    assert sentence in log
    assert "Traceback" not in log
    assert postgres.password not in log


def test_a_uri_that_is_none_is_said_so(home: EngineHome) -> None:
    home.put("database", uri="postgresql://u:CANARY@host:notaport/db?nonsense=1")
    code, log = home.run("migrate", "--wait", "2")
    assert code == 78, log
    assert "CANARY" not in log
    assert "Traceback" not in log


def test_a_database_that_goes_away_in_the_middle_can_be_tried_again(
    home: EngineHome, postgres: PostgresServer
) -> None:
    with psycopg.connect(postgres.admin_uri(), autocommit=True) as admin:
        admin.execute("CREATE DATABASE interrupted")
        # Ends the session that migrates, as a restart of the server would.
        with psycopg.connect(postgres.admin_uri("interrupted"), autocommit=True) as owner:
            owner.execute(
                "CREATE FUNCTION cut() RETURNS event_trigger LANGUAGE plpgsql AS"
                " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); END $$;"
                "CREATE EVENT TRIGGER cut ON ddl_command_end"
                " WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION cut()"
            )
    home.put("database", uri=postgres.admin_uri("interrupted"))
    code, log = home.run("migrate", "--wait", "5")
    assert code == 75, log
    assert "went away during the migration" in log
    assert "Traceback" not in log
    with psycopg.connect(postgres.admin_uri("interrupted"), autocommit=True) as owner:
        owner.execute("DROP EVENT TRIGGER cut")
    code, log = home.run("migrate", "--wait", "5")
    assert code == 0, log
