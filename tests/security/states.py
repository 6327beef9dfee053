"""Everything that an attack could leave behind, to be compared before and after: rows, catalogs, roles, files."""

# ruff: noqa: E501, ISC004 - lists of SQL

import hashlib
import socket
from collections.abc import Callable
from pathlib import Path

import psycopg

from insight_engine.domain.sources import Dialect
from support.mariadb import MariadbServer
from support.servers import PostgresServer

LOOT = Path("/tmp")
State = tuple[object, ...]
_POSTGRES = """
SELECT md5(string_agg(x, '|' ORDER BY x)) FROM (
  SELECT concat(c.oid, ' ', c.relname, c.relacl, c.relnatts, ' ', c.relowner) FROM pg_class c
    WHERE c.oid >= 16384
  UNION ALL SELECT concat(rolname, rolsuper, rolpassword) FROM pg_authid
  UNION ALL SELECT concat(roleid, '>', member) FROM pg_auth_members
  UNION ALL SELECT concat(setdatabase, ' ', setrole, setconfig) FROM pg_db_role_setting
  UNION ALL SELECT concat(name, ' ', setting) FROM pg_settings WHERE source NOT IN ('session', 'client', 'override')
  UNION ALL SELECT concat(datname, datacl) FROM pg_database
  UNION ALL SELECT concat(nspname, nspacl) FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp'
  UNION ALL SELECT concat(proname, proacl) FROM pg_proc WHERE oid >= 16384
  UNION ALL SELECT typname FROM pg_type WHERE oid >= 16384
  UNION ALL SELECT oid::text FROM pg_largeobject_metadata
  UNION ALL SELECT concat(name, setting) FROM pg_file_settings
  UNION ALL SELECT extname FROM pg_extension
  UNION ALL SELECT srvname FROM pg_foreign_server
  UNION ALL SELECT subname FROM pg_subscription
  UNION ALL SELECT pubname FROM pg_publication
  UNION ALL SELECT slot_name FROM pg_replication_slots
  UNION ALL SELECT gid FROM pg_prepared_xacts
  UNION ALL SELECT concat(classid, ' ', objid, ' ', pid) FROM pg_locks WHERE locktype = 'advisory'
  UNION ALL SELECT last_value || is_called::text FROM orders_id_seq
) AS everything(x)
"""
_POSTGRES_TABLES = """
SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('public', 'private') ORDER BY 1
"""
_POSTGRES_LEFT = """
SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'insight:%' AND state = 'active'
"""
# Counters and clocks among the variables move by themselves.
_MYSQL = (
    "SELECT table_schema, table_name, table_type, engine, create_options FROM information_schema.tables"
    " WHERE table_schema NOT IN ('information_schema', 'performance_schema') ORDER BY 1, 2",
    "SELECT schema_name FROM information_schema.schemata ORDER BY 1",
    "SELECT variable_name, variable_value FROM information_schema.global_variables WHERE variable_name NOT IN"
    " ('TIMESTAMP', 'GTID_BINLOG_POS', 'GTID_CURRENT_POS', 'LAST_INSERT_ID', 'RAND_SEED1', 'RAND_SEED2') ORDER BY 1",
    "SELECT host, user, priv FROM mysql.global_priv ORDER BY 1, 2",
    "SELECT * FROM mysql.db ORDER BY 1, 2, 3",
    "SELECT * FROM mysql.tables_priv ORDER BY 1, 2, 3",
    "SELECT name FROM mysql.func ORDER BY 1",
    "SELECT db, name FROM mysql.proc WHERE db <> 'sys' ORDER BY 1, 2",
    "SELECT db, name FROM mysql.event ORDER BY 1, 2",
    "SELECT plugin_name FROM information_schema.all_plugins WHERE plugin_status = 'ACTIVE' ORDER BY 1",
    "SELECT server_name FROM mysql.servers ORDER BY 1",
)
_MYSQL_LEFT = (
    "SELECT count(*) FROM information_schema.processlist WHERE user = 'reader' AND command <> 'Sleep'"
)


class Witness:
    """Looks at the state behind one dialect's source; `everything()` before and after must be equal."""

    def __init__(self, look: Callable[[], State], files: Path) -> None:
        self._look, self._files = look, files

    def everything(self) -> State:
        """The database's own state, the source files and whatever lies where attacks are told to write."""
        digests = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(self._files.iterdir())}
        return self._look(), digests, sorted(path.name for path in LOOT.glob("loot*"))


class Listener:
    """A port that nothing must ever connect to."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)  # noqa: FBT003
        self.port: int = self._socket.getsockname()[1]

    def was_reached(self) -> bool:
        """Whether somebody connected since the last look."""
        try:
            self._socket.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


def witnesses(postgres: PostgresServer, mariadb: MariadbServer, files: Path) -> dict[Dialect, Witness]:
    """One for each dialect."""
    return {
        Dialect.POSTGRES: Witness(lambda: postgres_state(postgres), files),
        Dialect.MYSQL: Witness(lambda: mysql_state(mariadb), files),
        Dialect.SQLITE: Witness(tuple, files),
        Dialect.DUCKDB: Witness(tuple, files),
    }


def postgres_state(server: PostgresServer) -> State:
    """Catalogs, roles, settings, locks, all rows, running queries, and the files beside the data."""
    with psycopg.connect(server.admin_uri()) as admin:
        catalogs = admin.execute(_POSTGRES.encode()).fetchone()
        contents = [
            admin.execute(
                f"SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t".encode()
            ).fetchone()
            for (table,) in admin.execute(_POSTGRES_TABLES.encode()).fetchall()
        ]
        left = admin.execute(_POSTGRES_LEFT.encode()).fetchone()
    data = server.folder / "data"
    settings = [
        (data / name).read_bytes() for name in ("postgresql.auto.conf", "postgresql.conf", "pg_hba.conf")
    ]
    return catalogs, contents, left, settings, _names(data)


def mysql_state(server: MariadbServer) -> State:
    """Catalogs, accounts, settings, checksums of all tables, running queries, and the files beside the data."""
    with server.admin() as admin, admin.cursor() as cursor:
        found: list[object] = []
        for statement in _MYSQL:
            cursor.execute(statement)
            found.append(cursor.fetchall())
        cursor.execute("SELECT concat('`', table_schema, '`.`', table_name, '`') FROM information_schema.tables"
                       " WHERE table_schema IN ('main', 'private') ORDER BY 1")  # fmt: skip
        for (table,) in cursor.fetchall():
            cursor.execute(f"CHECKSUM TABLE {table} EXTENDED")
            found.append(cursor.fetchall())
        cursor.execute(_MYSQL_LEFT)
        found.append(cursor.fetchall())
    return *found, sorted(
        str(p.relative_to(server.folder)) for p in (server.folder / "data").rglob("*.[fMi][rYb]*")
    )


def _names(data: Path) -> list[str]:
    """Names that only an administrator's statement adds: at the top, and of tablespaces, snapshots, slots."""
    inside = [
        path
        for name in ("pg_tblspc", "pg_snapshots", "pg_replslot", "pg_twophase")
        for path in (data / name).iterdir()
    ]
    return sorted(str(path.relative_to(data)) for path in (*data.iterdir(), *inside))
