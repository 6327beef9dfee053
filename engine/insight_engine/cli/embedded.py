"""`serve --embedded`: the whole engine in one process. Prepares its folder, then runs the same services."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

import uvicorn

from insight_engine import wiring
from insight_engine.api.app import Application, create_app
from insight_engine.cli.embedded_folder import ADMIN, held, prepare
from insight_engine.domain.errors import ConfigurationError
from insight_engine.services.slot import Slot
from insight_engine.settings import Settings
from insight_engine.telemetry import configure_logging

BACKLOG: Final = 256
DRAIN_S: Final = 5.0
SLOTS: Final = 2
_FIRST: Final = """\
insight-engine: log in at {url} as {admin} with the password {password}
insight-engine: it is shown only now; `insight-engine user set-password {admin} --data {folder}` sets another.
Try it:
  TOKEN=$(curl -s {url}/api/v1/auth/token -H 'content-type: application/json' \\
    -d '{{"username": "{admin}", "password": "{password}"}}' \\
    | sed 's/.*"access_token": *"\\([^"]*\\)".*/\\1/')
  curl -s {url}/api/v1/queries -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' \\
    -d '{{"datasource": "sample", "sql": "SELECT country, count(*) AS n FROM customers GROUP BY country"}}'
"""


def embedded_settings(settings: Settings, data: Path | None) -> Settings:
    """The settings of an engine that lives in one folder."""
    home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "insight-engine"
    folder = (data or home).absolute()
    return replace(
        settings,
        secrets_dir=folder / "secrets",
        sources_file=folder / "sources.json",
        result_dir=folder / "results",
        worker_concurrency=SLOTS,
    )


def serve_embedded(settings: Settings, *, data: Path | None, host: str, port: int | None) -> int:
    """Prepare the folder and serve until interrupted; the exit code.

    Raises:
        ConfigurationError: the folder or the port cannot be used.
    """
    configure_logging(settings.log_level)
    # Taken over by the server while it serves, which raises them again once it has stopped.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    settings = embedded_settings(settings, data)
    folder = settings.secrets_dir.parent
    with held(folder), _listening(host, port or settings.api_port) as listener:
        password = prepare(settings)
        app = create_app(lambda: _services(settings))
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=int(DRAIN_S),
        )
        _greet(_url(host, listener), folder, password)
        server = _Server(config, app)
        server.run(sockets=[listener])
    return 0 if server.started else 1


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """The port, taken before anything is prepared; callers who come early wait."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(BACKLOG)
        except OSError as error:
            raise ConfigurationError(
                "address",
                f"Port {port} of {host} cannot be used ({error.strerror}): "
                "choose others with --port and --host",
            ) from None
        yield listener


def _url(host: str, listener: socket.socket) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"


def _greet(url: str, folder: Path, password: str | None) -> None:
    """Say where to go; on the very first start also how to get in."""
    lines = [f"insight-engine: serving at {url}, data in {folder}; stop with Ctrl-C"]
    if password is not None:
        lines = [*lines, *_FIRST.format(url=url, folder=folder, admin=ADMIN, password=password).splitlines()]
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stderr.flush()


class _Server(uvicorn.Server):
    """Tells the application first that it stops, so that no client is left waiting until it is cut off."""

    def __init__(self, config: uvicorn.Config, app: Application) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop serving."""
        self._app.leave()
        await super().shutdown(sockets)


@asynccontextmanager
async def _services(settings: Settings) -> AsyncIterator[wiring.Api]:
    async with wiring.embedded(settings) as engine:
        tasks = [
            asyncio.create_task(engine.housekeeper.run_forever()),
            asyncio.create_task(engine.control.run_forever()),
        ]
        for slot in engine.slots:
            tasks += [asyncio.create_task(slot.poll_forever()), asyncio.create_task(_answer(engine, slot))]
        try:
            yield engine.api
        finally:
            await asyncio.gather(*(slot.drain(DRAIN_S) for slot in engine.slots))
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _answer(engine: wiring.Embedded, slot: Slot) -> None:
    while True:
        await slot.ring(await engine.doorbell.answer())
