"""Engine processes for tests: the real commands in real processes, with secrets as files, as in a pod."""

import base64
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Self

import httpx
import psutil

from support.engine_client import EngineClient
from support.servers import free_port
from support.waiting import eventually

ADMIN = "admin"
_HTTP = httpx.Client(timeout=2, verify=False)  # making one loads certificates, which takes a while


class Command:
    """One running `insight-engine` command and its log."""

    def __init__(self, home: Path, arguments: list[str], env: dict[str, str]) -> None:
        self.log_path = home / f"{arguments[0]}-{secrets.token_hex(3)}.log"
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("INSIGHT_")}
        self._log = self.log_path.open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "insight_engine", *arguments],
            env=inherited | env,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            cwd=home,
        )

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def terminate(self, within_s: float = 30) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within_s)

    def kill_all(self) -> None:
        """SIGKILL the parent and every child, as a lost node would."""
        if self.process.poll() is None:
            family = [*self.children(), psutil.Process(self.process.pid)]
            for process in family:
                process.kill()
            self.process.wait(10)
        self._log.close()


class EngineHome:
    """The mounted files of one engine, and the commands started on them."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="insight-engine-"))
        self.secrets = self.path / "secrets"
        self.tmp = self.path / "tmp"
        self.tmp.mkdir()
        self.admin_password = secrets.token_urlsafe(18)
        self.api_port, self.api_internal, self.worker_internal = free_port(), free_port(), free_port()
        self.commands: list[Command] = []
        self.put("bootstrap-admin", username=ADMIN, password=self.admin_password)
        self.put_keyset()

    def put(self, name: str, **files: str) -> None:
        folder = self.secrets / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (folder / file).write_text(text)

    def put_keyset(self) -> None:
        secret = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        key = {"kid": secrets.token_urlsafe(12), "alg": "HS256", "secret": secret}
        self.put("jwt", **{"keyset.json": json.dumps({"signing": key["kid"], "keys": [key]})})

    def put_sources(self, *sources: dict[str, Any]) -> None:
        (self.path / "sources.json").write_text(json.dumps({"sources": list(sources)}))

    def env(self, internal_port: int, **extra: str) -> dict[str, str]:
        return {
            "INSIGHT_INSTANCE": "test",
            "INSIGHT_LOG_LEVEL": "INFO",
            "INSIGHT_SECRETS_DIR": str(self.secrets),
            "INSIGHT_SOURCES_FILE": str(self.path / "sources.json"),
            "INSIGHT_TMP_DIR": str(self.tmp),
            "INSIGHT_API_PORT": str(self.api_port),
            "INSIGHT_INTERNAL_PORT": str(internal_port),
            **extra,
        }

    def start(self, *arguments: str, internal_port: int = 1, **extra: str) -> Command:
        command = Command(self.path, list(arguments), self.env(internal_port, **extra))
        self.commands.append(command)
        return command

    def run(self, *arguments: str, within_s: float = 60, **extra: str) -> tuple[int, str]:
        command = self.start(*arguments, internal_port=1, **extra)
        code = command.process.wait(within_s)
        return code, command.log

    def start_api(self, processes: int = 1) -> Command:
        command = self.start("serve", internal_port=self.api_internal, INSIGHT_API_PROCESSES=str(processes))
        self.wait_for(f"{self.url}/health/live", command)
        return command

    def start_worker(self, concurrency: int = 2, drain_s: int = 20) -> Command:
        command = self.start(
            "worker",
            internal_port=self.worker_internal,
            INSIGHT_WORKER_CONCURRENCY=str(concurrency),
            INSIGHT_DRAIN_TIMEOUT_S=str(drain_s),
        )
        self.wait_for(f"http://127.0.0.1:{self.worker_internal}/health/ready", command)
        return command

    def wait_for(self, url: str, command: Command, every_s: float = 0.05, within_s: float = 60) -> None:
        def answers() -> bool:
            if command.process.poll() is not None:
                raise AssertionError(f"the command ended with {command.process.returncode}:\n{command.log}")
            try:
                return _HTTP.get(url).status_code == 200
            except httpx.TransportError:
                return False

        eventually(f"{url} answers", answers, within_s=within_s, every_s=every_s)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.api_port}"

    def client(self) -> EngineClient:
        return EngineClient(self.url, ADMIN, self.admin_password)

    def login(self, username: str) -> str:
        """The access token of a user who has the admin's password."""
        client = EngineClient(self.url, username, self.admin_password)
        token = client.http.headers["Authorization"].removeprefix("Bearer ")
        client.close()
        return token

    def spare_port(self) -> int:
        """A port for one more command."""
        return free_port()

    def load(self) -> dict[str, Any]:
        """What the worker's pod says about its load."""
        answer = _HTTP.get(f"http://127.0.0.1:{self.worker_internal}/internal/load")
        return dict(answer.raise_for_status().json())

    def logs(self) -> str:
        return "\n".join(command.log for command in self.commands)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for command in self.commands:
            command.kill_all()
        shutil.rmtree(self.path, ignore_errors=True)
