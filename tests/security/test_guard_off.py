"""The same attacks with the guard off: what lies behind it must hold alone.

Each attack goes through the real adapter, on the least-privilege login or the read-only file. Afterwards
nothing may have changed, no file may have been read or written, and nothing may have outlived its time.
"""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from insight_engine.domain.source_errors import SourceError
from insight_engine.domain.sources import Dialect
from security.corpora import CANARY_TEXT, Attack, attacks
from security.databases import Live
from support.servers import PostgresServer

TIMEOUT_S = 0.5
# No server looks up from one call of a built-in that fills a gigabyte: only the guard keeps those out.
SLACK_S, LONGEST_CALL_S = 8, 60
LOOT = Path("/tmp")
_STATE = """
SELECT md5(string_agg(x, '|' ORDER BY x)) FROM (
  SELECT c.oid || c.relname || coalesce(c.relacl::text, '') || c.relnatts FROM pg_class c WHERE c.oid >= 16384
  UNION ALL SELECT rolname || rolsuper || coalesce(rolpassword, '') FROM pg_authid
  UNION ALL SELECT proname FROM pg_proc WHERE oid >= 16384
  UNION ALL SELECT oid::text FROM pg_largeobject_metadata
  UNION ALL SELECT name || coalesce(setting, '') FROM pg_file_settings
  UNION ALL SELECT extname FROM pg_extension
  UNION ALL SELECT slot_name FROM pg_replication_slots
  UNION ALL SELECT last_value || is_called::text FROM orders_id_seq
) AS everything(x)
"""


@pytest.fixture
def state(postgres_server: PostgresServer, files: Path) -> Iterator[None]:
    before = _state(postgres_server, files)
    yield
    assert _state(postgres_server, files) == before


@pytest.mark.parametrize("attack", [a for d in Dialect for a in attacks(d)], ids=str)
@pytest.mark.usefixtures("state", "canary")
def test_an_attack_changes_and_reads_nothing_when_nobody_judges_it(
    live: dict[Dialect, Live], attack: Attack
) -> None:
    database = live[attack.dialect]
    started = time.monotonic()
    answers = _answers(database, attack)
    slack = LONGEST_CALL_S if attack.attempts.startswith("memory") else SLACK_S
    assert time.monotonic() - started < TIMEOUT_S + slack
    assert CANARY_TEXT not in answers
    assert "SCRAM-SHA-256" not in answers


def _answers(database: Live, attack: Attack) -> str:
    """Everything the attack got to see, its error included; at most ten batches of it."""
    seen: list[str] = []
    try:
        for batch in database.batches(database.unjudged(attack.sql, TIMEOUT_S)):
            seen.append(str(batch.slice(0, 1_000).to_pylist()))
            if len(seen) == 10:
                break
    except SourceError as error:
        seen.append(error.message)
    return " ".join(seen)


def _state(server: PostgresServer, files: Path) -> tuple[object, ...]:
    with psycopg.connect(server.admin_uri()) as admin:
        row = admin.execute(_STATE).fetchone()
        tables = admin.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
            " WHERE schemaname IN ('public', 'private')"
        ).fetchall()
        contents = [
            admin.execute(
                f"SELECT string_agg(t::text, '|' ORDER BY t::text) FROM {table} t".encode()
            ).fetchone()
            for (table,) in sorted(tables)
        ]
        left = admin.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE application_name LIKE 'insight:%' AND state = 'active'"
        ).fetchone()
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files.iterdir())}
    return row, contents, left, digests, sorted(path.name for path in LOOT.glob("loot*"))
