"""Other tools that answer SQL over HTTP, measured in the same run, each in an environment of its own.

They are installed into the cache folder at first use; what cannot be installed or started is said to be not
measured, with the reason, and stops nothing.
"""

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from dev.bench.client import Client
from dev.bench.figures import spread, timed_ms
from support.servers import free_port

CACHE: Final = Path(os.environ.get("INSIGHT_CACHE", Path.home() / ".cache" / "insight-engine")) / "peers"
INSTALL_S: Final = 240
START_S: Final = 120


class NotMeasuredError(Exception):
    """Why a peer could not be measured."""


@dataclass(frozen=True)
class Peer:
    """What a peer managed: in words, and its samples."""

    words: str
    samples: list[float] = field(default_factory=list)


def environment(name: str, packages: Sequence[str]) -> Path:
    """The environment that holds these packages, made at first use."""
    key = hashlib.sha256("\n".join([sys.version, *packages]).encode()).hexdigest()[:12]
    folder = CACHE / f"{name}-{key}"
    if not (folder / ".complete").exists():
        print(f"  installing {name} into {folder}", flush=True)
        run(
            [
                sys.executable,
                "-m",
                "uv",
                "venv",
                "--quiet",
                "--clear",
                "--python",
                sys.executable,
                str(folder),
            ]
        )
        python = str(folder / "bin" / "python")
        run([sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, *packages])
        (folder / ".complete").touch()
    return folder


def run(command: Sequence[str], env: dict[str, str] | None = None) -> None:
    """Run a step of an installation.

    Raises:
        NotMeasuredError: it failed or took too long.
    """
    inherited = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    try:
        subprocess.run(
            command,
            env=inherited
            | {"UV_PYTHON_DOWNLOADS": "never", "UV_CACHE_DIR": str(CACHE.parent / "uv-cache")}
            | (env or {}),
            check=True,
            capture_output=True,
            timeout=INSTALL_S,
        )
    except subprocess.CalledProcessError as error:
        last = error.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise NotMeasuredError(f"{' '.join(command[:4])} failed: {last}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotMeasuredError(f"{' '.join(command[:4])}: {error}") from error


@contextmanager
def served(command: Sequence[str], port: int, path: str, env: dict[str, str], log: Path) -> Iterator[None]:
    """A running server, once it answers 200 at that path.

    Raises:
        NotMeasuredError: it does not.
    """
    inherited = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=inherited | env, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + START_S
        while port and not _answers(port, path):
            if process.poll() is not None or time.monotonic() > deadline:
                last = log.read_text(errors="replace").strip().splitlines()[-1:]
                raise NotMeasuredError(f"{Path(command[0]).name} did not start: {last}")
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def _answers(port: int, path: str) -> bool:
    client = Client(port, timeout_s=5)
    try:
        return client.ask("GET", path)[0] == 200  # noqa: PLR2004 - HTTP's "OK"
    except OSError:
        return False
    finally:
        client.close()


def crowd(clients: Sequence[Client], each: int, ask: Callable[[Client], None]) -> float:
    """Queries a second that these clients get through at once."""
    failed: list[Exception] = []

    def work(client: Client) -> None:
        try:
            for _ in range(each):
                ask(client)
        except Exception as error:  # noqa: BLE001 - told below, in the main thread
            failed.append(error)

    threads = [threading.Thread(target=work, args=(client,)) for client in clients]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise NotMeasuredError(f"its clients failed: {failed[0]!r}"[:200])
    return each * len(clients) / (time.perf_counter() - started)


def datasette(samples: int) -> Peer:
    """The same small query by Datasette, which has no queue and here no login."""
    try:
        home = environment("datasette", ["datasette==0.65.5"])
        port, log = free_port(), CACHE / "datasette.log"
        command = [
            str(home / "bin" / "datasette"),
            "serve",
            "--memory",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ]
        path = "/_memory.json?sql=SELECT+1+AS+one&_shape=array"
        with served(command, port, path, {}, log), ExitStack() as stack:
            clients = [Client(port) for _ in range(8)]
            for client in clients:
                stack.callback(client.close)
            times = [timed_ms(lambda: clients[0].json("GET", path)) for _ in range(samples)]
            rate = crowd(clients, samples // 4, lambda client: client.json("GET", path))
    except (NotMeasuredError, RuntimeError, OSError) as error:
        return Peer(f"Datasette not measured: {error}")
    return Peer(f"Datasette, no queue, no login: {spread(times)}, 8 clients {rate:.0f} q/s", times)
