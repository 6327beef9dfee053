"""`insight-engine serve`: the API under gunicorn's own ASGI worker, or everything in one process."""

import asyncio
import os
import shlex
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from insight_engine.cli import reload
from insight_engine.cli.start import internal_server, loading, run_folder
from insight_engine.settings import Settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator

    from insight_engine.runtime import RunFolder
    from insight_engine.wiring import Api

TICK_S: Final = 2.0


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "serve",
        help="serve the API",
        description="Serve the API on INSIGHT_API_PORT, metrics and pod health on INSIGHT_INTERNAL_PORT. "
        "With --embedded, API and worker run in this one process on SQLite: no server is needed.",
    )
    parser.add_argument("--embedded", action="store_true", help="API, worker and store in one process")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="embedded: folder for its data (default ~/.local/share/insight-engine)",
    )
    parser.add_argument("--port", type=int, metavar="N", help="port of the API (default 8000)")
    parser.add_argument(
        "--host", default=None, metavar="ADDRESS", help="embedded: address (default 127.0.0.1)"
    )
    reload.add_option(parser)
    parser.set_defaults(run=run)


def run(args: Any) -> int:
    """Run the sub-command; the exit code."""
    settings = Settings.from_env(os.environ)
    if args.reload:
        return reload.supervise(_command(args))
    if args.embedded:
        with loading():
            from insight_engine.cli.embedded import serve_embedded

        return serve_embedded(settings, data=args.data, host=args.host or "127.0.0.1", port=args.port)
    return _serve(settings, args.port or settings.api_port)


def _command(args: Any) -> str:
    """The same command without `--reload`."""
    words = ["serve", *(["--embedded"] if args.embedded else [])]
    for option in ("data", "port", "host"):
        if getattr(args, option) is not None:
            words += [f"--{option}", str(getattr(args, option))]
    return shlex.join(words)


def _serve(settings: Settings, port: int) -> int:
    from insight_engine import telemetry

    telemetry.configure_logging(settings.log_level)
    with run_folder(settings) as folder:
        with loading():
            from insight_engine.api.app import create_app
            from insight_engine.cli.gunicorn_server import GunicornServer
            from insight_engine.wiring_checks import check_api

        check_api(settings)
        internal = internal_server(settings, folder)
        application = create_app(lambda: _services(settings, folder))
        GunicornServer(application, settings, folder, port, internal).run()
    return 0


@asynccontextmanager
async def _services(settings: Settings, folder: "RunFolder") -> "AsyncIterator[Api]":
    """What one gunicorn child needs, and what it does besides serving."""
    from insight_engine import wiring
    from insight_engine.cli.gunicorn_worker import PromptWorker
    from insight_engine.load import keep_figures

    async with wiring.api(settings) as api:
        PromptWorker.on_leaving(api.queries.leaving.set)
        tasks = [
            asyncio.create_task(_tick(api, folder)),
            asyncio.create_task(keep_figures(api.load, folder)),
        ]
        try:
            yield api
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _tick(api: "Api", folder: "RunFolder") -> None:
    from insight_engine.telemetry import get_logger

    while True:
        try:
            health = await api.health.check()
            folder.tick(ready=health.database)
        except Exception:  # noqa: BLE001 - a process that stops ticking is taken for dead
            get_logger("api").exception("Failed to tick")
        await asyncio.sleep(TICK_S)
