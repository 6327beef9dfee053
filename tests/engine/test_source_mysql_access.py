"""MySQL and MariaDB as a data source, live on MariaDB: TLS, rights, what a login finds, the script."""

import socket
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import pymysql
import pytest

from insight_engine.__main__ import main
from insight_engine.adapters.sources import mysql_describe
from insight_engine.domain.source_errors import (
    QueryFailed,
    SourceError,
    SourceMisconfigured,
    SourceRefusedCredentials,
)
from support.mariadb import MariadbServer
from support.mysql_shop import SOURCE, mysql_shop, opened
from support.source_rows import Asking, unjudged


@pytest.fixture(scope="module")
def server() -> Iterator[MariadbServer]:
    with mysql_shop() as server:
        yield server


@pytest.fixture(scope="module")
def shop(server: MariadbServer) -> Asking:
    return Asking(SOURCE, opened(server))


def test_tls_is_as_the_secret_says(server: MariadbServer) -> None:
    def cipher(**tls: str) -> str:
        asking = Asking(SOURCE, opened(server, **tls))
        sql = (
            "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'"
        )
        return str(asking.value(sql))

    authority = server.ca_file.read_text()
    assert cipher(sslmode="disable") == ""
    for tls in ({"sslmode": "require"}, {}, {"sslmode": "verify-ca", "ca_pem": authority},
                {"sslmode": "verify-full", "ca_pem": authority}):  # fmt: skip
        assert cipher(**tls) != ""


def test_a_server_that_does_not_prove_itself_is_refused(
    server: MariadbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MariadbServer(require_tls=True) as stranger:
        other = stranger.ca_file.read_text()
        unencrypted = opened(stranger, stranger.username, stranger.password, sslmode="disable")
        with pytest.raises(SourceRefusedCredentials):  # MariaDB 10 does not say why
            unencrypted.check(timeout_s=5)
    for tls in ({"sslmode": "verify-ca", "ca_pem": other}, {"sslmode": "verify-full", "ca_pem": other},
                {"sslmode": "verify-full"}):  # fmt: skip
        with pytest.raises(SourceMisconfigured, match="did not prove who it is"):
            opened(server, **tls).check(timeout_s=5)
    found = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *more, **named: found("127.0.0.1", *more, **named))
    elsewhere = {"host": "db.invalid", "sslmode": "verify-full", "ca_pem": server.ca_file.read_text()}
    with pytest.raises(SourceMisconfigured, match="certificate for another host name"):
        opened(server, **elsewhere).check(timeout_s=5)
    with MariadbServer() as plain:
        with pytest.raises(SourceMisconfigured, match="offers no TLS"):
            opened(plain, plain.username, plain.password, sslmode="require").check(timeout_s=5)
        with plain.admin() as admin, admin.cursor() as cursor:
            cursor.execute("CREATE DATABASE shop")
        assert opened(plain, plain.username, plain.password).check(timeout_s=5).version


@pytest.mark.parametrize(
    "bad", [{"sslmode": "prefer"}, {"sslmode": "verify-ca", "ca_pem": "none"}, {"uri": "postgresql://h/d"},
            {"uri": "mysql://h:port/d"}, {"host": None}, {"username": None}],
)  # fmt: skip
def test_a_secret_that_cannot_work_is_named(server: MariadbServer, bad: dict[str, Any]) -> None:
    with pytest.raises(SourceMisconfigured, match="secret of data source shop"):
        opened(server, **bad)


def test_the_schema_is_what_the_login_may_read(server: MariadbServer) -> None:
    tables = {table.name: table for table in opened(server).schema(timeout_s=5).tables}
    orders = tables["orders"]
    assert (orders.kind, orders.comment, tables["big"].kind, tables["big"].comment) == (
        "table", "What was sold", "view", None,
    )  # fmt: skip
    assert orders.rows is not None
    assert 500 < orders.rows < 2000
    assert [(c.name, c.type, c.nullable, c.comment) for c in orders.columns][:2] == [
        ("id", "int(11)", False, None),
        ("total", "decimal(10,2)", True, "in euros"),
    ]
    assert opened(server, "narrow", "narrow").schema(timeout_s=5).names() == {
        "shop": {"orders": ("id", "total")}
    }


def test_explain_shows_the_plan_and_runs_nothing(shop: Asking) -> None:
    started = time.monotonic()
    prepared = unjudged(SOURCE, "SELECT sleep(9) FROM orders WHERE id < ?", (9,))
    plan = shop.source.explain(prepared, timeout_s=5)
    assert '"table_name": "orders"' in plan.text
    assert time.monotonic() - started < 5
    with pytest.raises(QueryFailed, match="nowhere"):
        shop.source.explain(unjudged(SOURCE, "SELECT nowhere"), timeout_s=5)


def test_a_cost_is_read_where_a_server_tells_one() -> None:
    mysql = '{"query_block": {"cost_info": {"query_cost": "101.25"}}}'
    assert (mysql_describe.plan(mysql).cost, mysql_describe.plan('{"query_block": {"cost": 2.5}}').cost) == (
        101.25,
        2.5,
    )
    assert mysql_describe.plan("no json").cost is None


def test_check_tells_which_rights_are_too_many(server: MariadbServer) -> None:
    told = opened(server, "careless", "careless").check(timeout_s=5)
    assert told.version.startswith("MariaDB 1")
    text = " ".join(told.warnings)
    for word in ("FILE", "PROCESS", "SUPER", "INSERT, CREATE", "GRANT OPTION", "password hashes"):
        assert word in text
    narrow = opened(server, "narrow", "narrow").check(timeout_s=5)
    assert len(narrow.warnings) == 1
    assert "INSERT" in narrow.warnings[0]


ODD = "ann' OR `1"


def test_the_grant_script_makes_a_login_that_reads_and_no_more(server: MariadbServer) -> None:
    with server.admin() as admin, admin.cursor() as cursor:
        for name in ("a_b", "axb"):
            cursor.execute(f"CREATE DATABASE {name}")
            cursor.execute(f"CREATE TABLE {name}.t (id int)")
    out = StringIO()
    with redirect_stdout(out):
        code = main(
            [
                "source",
                "grant-script",
                "--dialect",
                "mysql",
                "--login",
                ODD,
                "--schema",
                "a_b",
                "--table",
                "shop.orders",
                "--connections",
                "2",
            ]
        )
    assert code == 0
    statements = [line for line in out.getvalue().splitlines() if line and not line.startswith("--")]
    account = "'ann'' OR `1'@'%'"
    with server.admin() as admin, admin.cursor() as cursor:
        for _ in range(2):  # it may be run again
            for statement in statements:
                cursor.execute(statement)
        with pytest.raises(SourceError):  # locked until it has a password of its own
            opened(server, ODD, "CHANGE-ME").check(timeout_s=5)
        cursor.execute(f"ALTER USER {account} IDENTIFIED BY 'made' ACCOUNT UNLOCK")
        cursor.execute("CREATE TABLE a_b.later (id int)")
    made = Asking(SOURCE, opened(server, ODD, "made"))
    assert made.value("SELECT count(*) FROM orders") == 1000
    assert made.value("SELECT count(*) FROM a_b.later") == 0
    for statement in (
        "SELECT * FROM mine",
        "SELECT * FROM axb.t",
        "SELECT * FROM mysql.global_priv",
        "INSERT INTO orders VALUES (0, 0, '')",
        "CREATE TABLE a_b.evil (id int)",
        "SELECT 1 INTO OUTFILE '/tmp/evil'",
    ):
        with pytest.raises(QueryFailed, match="denied"):
            made.rows(statement)
    assert made.value("SELECT load_file('/etc/passwd')") is None
    assert made.source.check(timeout_s=5).warnings == ()


def test_the_driver_hands_no_password_to_a_server_that_asks_for_it_in_the_clear() -> None:
    from insight_engine.adapters.sources.mysql_connect import _NoClearPassword

    with pytest.raises(pymysql.err.OperationalError, match="in the clear"):
        _NoClearPassword(None).authenticate(None)
