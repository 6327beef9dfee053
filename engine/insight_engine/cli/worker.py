"""`insight-engine worker`: runs queries."""

import os
from typing import TYPE_CHECKING, Any

from insight_engine.cli import reload
from insight_engine.cli.start import internal_server, loading, run_folder
from insight_engine.settings import Settings

if TYPE_CHECKING:
    import argparse

    from insight_engine.runtime import RunFolder


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "worker",
        help="run queries",
        description="Run INSIGHT_WORKER_CONCURRENCY queries at a time. On SIGTERM it takes no more, lets "
        "those that run end within INSIGHT_DRAIN_TIMEOUT_S, and hands the rest to other workers.",
    )
    reload.add_option(parser)
    parser.set_defaults(run=run)


def run(args: Any) -> int:
    """Run the sub-command; the exit code."""
    settings = Settings.from_env(os.environ)
    if args.reload:
        return reload.supervise("worker")
    from insight_engine import telemetry

    telemetry.configure_logging(settings.log_level)
    with run_folder(settings) as folder:
        return _work(settings, folder)


def _work(settings: Settings, folder: "RunFolder") -> int:
    with loading():
        from insight_engine.adapters.config.secrets import read_set
        from insight_engine.internal import Drain
        from insight_engine.wiring_checks import check_worker
        from insight_engine.worker.main import QueryWorker

    def token() -> str | None:
        return (read_set(settings.secrets_dir, "internal") or {}).get("token")

    check_worker(settings)
    worker = QueryWorker(settings, folder)
    internal_server(settings, folder, Drain(token, worker.rest)).start()
    return worker.run()
