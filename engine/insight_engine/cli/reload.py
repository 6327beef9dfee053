"""`--reload`: runs a command in a process of its own, anew whenever a source file of the engine changes.

For developing only: requests and queries that run at that moment are cut off.
"""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import insight_engine

if TYPE_CHECKING:
    import argparse

    from watchfiles.main import FileChange

STOP_WITHIN_S: Final = 10
SOURCES: Final = Path(insight_engine.__file__).parent


def add_option(parser: "argparse.ArgumentParser") -> None:
    """Add `--reload` to a command."""
    parser.add_argument(
        "--reload", action="store_true", help="for developing: start anew when a source file changes"
    )


def supervise(command: str) -> int:
    """Run `insight-engine COMMAND`, anew at each change, until this process is told to stop; 0."""
    import watchfiles  # of no use to the process that serves

    watchfiles.run_process(
        SOURCES,
        target=f"{shlex.quote(sys.executable)} -m insight_engine {command}",
        target_type="command",
        watch_filter=watchfiles.PythonFilter(),
        callback=_tell,
        sigint_timeout=STOP_WITHIN_S,
    )
    return 0


def _tell(changes: "set[FileChange]") -> None:
    from insight_engine.telemetry import configure_logging, get_logger

    configure_logging("INFO")
    get_logger("reload").info("Reloading", changed=sorted(path for _, path in changes))
