"""A real MariaDB for tests: on loopback, with a random password and, where asked for, TLS.

The first use takes the server from the distribution's packages, says so, and unpacks it into the cache;
nothing is installed and no system service is started.
"""

import datetime as dt
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Self

import psutil
import pymysql

from dev.cluster import debs, pki
from support.servers import free_port
from support.waiting import eventually

_PACKAGES = ("mariadb-server-core",)
_TABLES = (
    "mysql_system_tables.sql",
    "mysql_performance_tables.sql",
    "mysql_system_tables_data.sql",
    "maria_add_gis_sp_bootstrap.sql",
    "mysql_sys_schema.sql",
)
"""What a fresh server's own databases are made from, in this order."""


class MariadbServer:
    """A MariaDB with one administrator; anonymous and passwordless logins are gone before it answers.

    With `tls` it offers TLS by a certificate for 127.0.0.1 of the authority in `ca_file`, and with
    `require_tls` it takes nothing else.
    """

    username = "admin"

    def __init__(self, *, tls: bool = False, require_tls: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="insight-mariadb-", dir="/var/tmp"))
        self.port = free_port()
        self.password = secrets.token_urlsafe(24)
        self.ca_file = self.folder / "tls" / "ca.crt"
        self._user = "nobody" if os.geteuid() == 0 else None
        self._options = ["--require-secure-transport=ON"] if require_tls else []
        self._process: subprocess.Popen[bytes] | None = None
        if tls or require_tls:
            self._options += self._certificates()
        self._initialise()
        self.start()

    def _certificates(self) -> list[str]:
        folder = self.ca_file.parent
        server = pki.Leaf("server", "mariadb", names=("localhost", "127.0.0.1"))
        pki.ensure(folder, (server,), dt.datetime.now(dt.UTC))
        return [
            f"--ssl-ca={self.ca_file}",
            f"--ssl-cert={folder / 'server.crt'}",
            f"--ssl-key={folder / 'server.key'}",
        ]

    def _initialise(self) -> None:
        (self.folder / "first.sql").write_text(
            f"CREATE USER IF NOT EXISTS {self.username}@'127.0.0.1' IDENTIFIED BY '{self.password}';\n"
            f"GRANT ALL ON *.* TO {self.username}@'127.0.0.1' WITH GRANT OPTION;\n"
            "DELETE FROM mysql.global_priv WHERE User IN ('', 'root', 'PUBLIC');\n"
            "FLUSH PRIVILEGES;\n"
        )
        for name in ("tmp", "data", "plugins"):
            (self.folder / name).mkdir()
        if self._user:
            owner = pwd.getpwnam(self._user)
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        share = _unpacked() / "usr/share/mysql"
        script = "".join(
            ["CREATE DATABASE mysql;\nUSE mysql;\n", *((share / n).read_text() for n in _TABLES)]
        )
        subprocess.run(
            [*self._command(), "--bootstrap", "--skip-networking"],
            check=True,
            input=script.encode(),
            user=self._user,
            capture_output=True,
            cwd=self.folder,
            env=_environment(),
        )

    def _command(self) -> list[str]:
        root = _unpacked()
        return [
            str(root / "usr/sbin/mariadbd"),
            "--no-defaults",
            f"--basedir={root / 'usr'}",
            f"--lc-messages-dir={root / 'usr/share/mysql'}",
            f"--datadir={self.folder / 'data'}",
            f"--tmpdir={self.folder / 'tmp'}",
            f"--plugin-dir={self.folder / 'plugins'}",
            "--innodb-log-file-size=8M",
            "--innodb-buffer-pool-size=32M",
        ]

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [
            *self._command(),
            f"--socket={self.folder / 'socket'}",
            f"--pid-file={self.folder / 'pid'}",
            f"--init-file={self.folder / 'first.sql'}",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            "--innodb-flush-log-at-trx-commit=0",
            *self._options,
        ]
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen(
            command, user=self._user, stdout=log, stderr=log, cwd=self.folder, env=_environment()
        )
        eventually("MariaDB answers", self._answers, within_s=30)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text()[-2_000:]
        try:
            self.admin(connect_timeout=2).close()
        except pymysql.err.OperationalError:
            return False
        return True

    def admin(self, **options: Any) -> "pymysql.Connection[pymysql.cursors.Cursor]":
        """A connection of the administrator, in autocommit."""
        tls = {"ssl_ca": str(self.ca_file)} if self.ca_file.exists() else {}
        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user=self.username,
            password=self.password,
            autocommit=True,
            **{**tls, **options},
        )

    def admin_uri(self, dbname: str = "mysql") -> str:
        """The administrator's URI."""
        return f"mysql://{self.username}:{self.password}@127.0.0.1:{self.port}/{dbname}"

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it; SIGKILL ends it as a crash would."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def freeze(self) -> None:
        """Let it accept and never answer, as on a node that hangs."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, how: signal.Signals) -> None:
        if self._process is not None:
            psutil.Process(self._process.pid).send_signal(how)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def _unpacked() -> Path:
    """The folder of the unpacked packages, where the user that runs the server can reach it.

    As root that is a copy: the cache lies below a home folder that no other user may enter.
    """
    root = debs.unpack(_PACKAGES, ("mariadbd",), "MariaDB").root
    if os.geteuid() != 0:
        return root
    copy = Path("/var/tmp") / f"insight-mariadb-{root.name}"
    if not copy.exists():
        draft = Path(tempfile.mkdtemp(prefix="insight-mariadb-", dir="/var/tmp"))
        shutil.copytree(root, draft, dirs_exist_ok=True, symlinks=True)
        draft.chmod(0o755)
        with suppress(OSError):  # another process was first
            draft.rename(copy)
    return copy


def _environment() -> dict[str, str]:
    return debs.Debs(_unpacked()).environment()
