"""`insight-engine flower`: Celery's own monitor behind a login, read-only.

It sees what workers tell (`INSIGHT_WORKER_EVENTS`) and how long the queue is: ids of queries, no text.
"""

import logging
import os
import signal
from typing import TYPE_CHECKING, Any, Final

from insight_engine.domain.errors import ConfigurationError
from insight_engine.settings import Settings

if TYPE_CHECKING:
    import argparse

PORT: Final = 5555
SECRET_SET: Final = "flower"  # noqa: S105 - the name of the set
MAX_TASKS: Final = 10_000
FOREIGN_SETTING: Final = "FLOWER_"
_NOISY: Final = ("flower.inspector", "tornado.access")
"""Every page asks the workers by remote control, which they do not take; probes are not worth a line."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "flower",
        help="watch the workers with Flower",
        description="Serve Flower, read-only, to whoever knows the login of the secret set flower.",
    )
    parser.add_argument("--port", type=int, default=PORT, metavar="N", help=f"port (default {PORT})")
    parser.set_defaults(run=run)


def run(args: Any) -> int:
    """Run the sub-command; the exit code.

    Raises:
        ConfigurationError: no login is mounted, or its port is taken.
    """
    from insight_engine import telemetry
    from insight_engine.adapters.config.secrets import read_set, require

    settings = Settings.from_env(os.environ)
    telemetry.configure_logging(settings.log_level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    login = require(read_set(settings.secrets_dir, SECRET_SET), SECRET_SET, ("username", "password"))
    # Flower reads these itself, and one of them opens its API to everybody.
    for name in [name for name in os.environ if name.startswith(FOREIGN_SETTING)]:
        del os.environ[name]
    _serve(settings, f"{login['username']}:{login['password']}", args.port)
    return 0


def _serve(settings: Settings, login: str, port: int) -> None:
    from flower.app import Flower
    from flower.options import options
    from flower.urls import settings as pages
    from flower.views.monitor import Metrics
    from tornado.web import authenticated

    from insight_engine.adapters.queue.broker import monitor_app

    options.basic_auth = [login]
    options.port = port
    options.read_only = True
    options.enable_events = False  # workers are told by their settings, and take no commands
    options.max_tasks = MAX_TASKS
    Metrics.get = authenticated(Metrics.get)  # the one page with facts that Flower shows to everybody
    monitor = Flower(capp=monitor_app(settings), options=options, **pages)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: monitor.io_loop.add_callback_from_signal(monitor.stop))
    try:
        monitor.start_http_server()
    except OSError as error:
        raise ConfigurationError(
            "port_taken",
            f"Port {port} cannot be opened ({error.strerror}): end what holds it, or give --port",
        ) from None
    monitor.start()
