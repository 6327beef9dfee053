"""A shop in a real MariaDB, its logins, and the data source over it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from insight_engine.adapters.sources import open_source
from insight_engine.domain.credentials import SourceCredential
from insight_engine.domain.sources import DataSource, Dialect, Role
from insight_engine.ports import Source
from support.mariadb import MariadbServer

SOURCE = DataSource("shop", Dialect.MYSQL, ("shop",), frozenset(Role), max_connections=2)
ENDLESS = "SELECT count(*) FROM seq_1_to_1000000 a JOIN seq_1_to_1000000 b ON a.seq * b.seq % 7 = 3"
_SETUP = [
    "CREATE DATABASE shop",
    "CREATE DATABASE hidden",
    "USE shop",
    "CREATE TABLE hidden.salaries (id int)",
    (
        "CREATE TABLE shop.orders (id int PRIMARY KEY, total decimal(10, 2) COMMENT 'in euros', note text) "
        "COMMENT 'What was sold'"
    ),
    "INSERT INTO shop.orders SELECT seq, seq, 'n' FROM seq_1_to_1000",
    "CREATE VIEW shop.big AS SELECT id FROM shop.orders WHERE total > 500",
    "CREATE TABLE shop.mine (owner varchar(20), id int)",
    "INSERT INTO shop.mine VALUES ('ann', 1), ('bob', 2)",
    "CREATE FUNCTION shop.who() RETURNS varchar(64) CHARSET utf8mb4 RETURN @insight_user",
    "CREATE VIEW shop.own AS SELECT id FROM shop.mine WHERE owner = shop.who()",
    "CREATE TABLE shop.zero (d date, t datetime, n int)",
    "SET sql_mode = ''",
    "INSERT INTO shop.zero VALUES ('0000-00-00', '2020-00-10 01:02:03', 1)",
    "CREATE TABLE shop.late (d date, n int)",
    "INSERT INTO shop.late SELECT IF(seq < 9000, '2020-01-01', '0000-00-00'), seq FROM seq_1_to_9000",
    (
        "CREATE TABLE shop.typed (f float, y year, b bit(10), e enum('a', 'b'), s set('x', 'y'), bl blob, "
        "bi binary(3), l1 varchar(9) CHARSET latin1, g geometry, u uuid, i inet6, ts timestamp(6) NULL, "
        "m mediumint)"
    ),
    "SET time_zone = '+02:00'",
    (
        "INSERT INTO shop.typed VALUES (16777217, 1999, 5, 'b', 'y,x', x'00ff', 'ab', 'é', "
        "ST_GeomFromText('MULTIPOLYGON(((0 0,1.5 0,1 1,0 0)),((2 2,3 2,3 3,2 2)))', 4326), "
        "'123e4567-e89b-12d3-a456-426614174000', '::1', '2020-01-01 02:00:00.000001', -8388608)"
    ),
    "CREATE USER reader IDENTIFIED BY 'reader-only'",
    "GRANT SELECT, SHOW VIEW, EXECUTE ON shop.* TO reader",
    "CREATE USER careless IDENTIFIED BY 'careless'",
    "GRANT FILE, PROCESS, SUPER, SELECT ON *.* TO careless",
    "GRANT INSERT, CREATE ON shop.* TO careless WITH GRANT OPTION",
    "CREATE USER narrow IDENTIFIED BY 'narrow'",
    "GRANT SELECT (id, total) ON shop.orders TO narrow",
    "GRANT INSERT ON shop.mine TO narrow",
]


@contextmanager
def mysql_shop() -> Iterator[MariadbServer]:
    with MariadbServer(tls=True) as server:
        with server.admin() as admin, admin.cursor() as cursor:
            for statement in _SETUP:
                cursor.execute(statement)
        yield server


def opened(server: MariadbServer, user: str = "reader", password: str = "reader-only", **more: Any) -> Source:
    given = {"host": "127.0.0.1", "port": server.port, "username": user, "password": password}
    return open_source(SOURCE, SourceCredential(**{**given, **more}))
