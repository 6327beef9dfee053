"""Second users for tests, added by the command a person would use."""

import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from support.engine_client import EngineClient
from support.engine_process import EngineHome


@dataclass
class Users:
    """Adds users to one engine; `data` is the folder of an embedded one."""

    home: EngineHome
    data: Path | None = None

    def run(self, action: str, *arguments: str, password: str | None = None) -> tuple[int, str]:
        where = ["--data", str(self.data)] if self.data else []
        done = subprocess.run(
            [sys.executable, "-m", "insight_engine", "user", action, *arguments, *where],
            env=os.environ | self.home.env(1),
            input=None if password is None else f"{password}\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def add(self, role: str, name: str | None = None) -> EngineClient:
        """Return a new user's client."""
        name, password = name or f"{role}-{secrets.token_hex(4)}", secrets.token_urlsafe(12)
        code, said = self.run("add", name, "--role", role, password=password)
        assert code == 0, said
        return EngineClient(self.home.url, name, password)
