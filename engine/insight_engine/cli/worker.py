"""`insight-engine worker`: runs queries."""

import os
from typing import TYPE_CHECKING, Any

from insight_engine.settings import Settings

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "worker",
        help="run queries",
        description="Run INSIGHT_WORKER_CONCURRENCY queries at a time. On SIGTERM it takes no more, lets "
        "those that run end within INSIGHT_DRAIN_TIMEOUT_S, and hands the rest to other workers.",
    )
    parser.set_defaults(run=run)


def run(args: Any) -> int:
    """Run the sub-command; the exit code."""
    del args
    settings = Settings.from_env(os.environ)
    from insight_engine import runtime, telemetry

    telemetry.configure_logging(settings.log_level)
    folder = runtime.prepare(settings.tmp_dir)

    from insight_engine import wiring
    from insight_engine.internal import InternalServer
    from insight_engine.worker.main import QueryWorker

    wiring.check_worker(settings)
    InternalServer(folder, settings.internal_port).start()
    try:
        return QueryWorker(settings, folder).run()
    finally:
        folder.remove()
