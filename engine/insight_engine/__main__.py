"""The command line: `insight-engine COMMAND`. Its exit codes are in cli/exits.py."""

import argparse
import sys
from collections.abc import Sequence

from insight_engine import __version__
from insight_engine.cli import exits, flower, guard, migrate, serve, source, user, worker

EPILOG = (
    "Exit codes: 0 ok; 1 unexpected; 2 usage; 75 a dependency did not answer in time, retry; "
    "78 the configuration is wrong, a person must act. Settings are INSIGHT_* variables; secrets are files "
    "under INSIGHT_SECRETS_DIR."
)


def parser() -> argparse.ArgumentParser:
    """The parser of every command."""
    top = argparse.ArgumentParser(
        prog="insight-engine", description="Answers questions over databases, safely.", epilog=EPILOG
    )
    top.add_argument("--version", action="version", version=f"insight-engine {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (serve, worker, migrate, guard, user, source, flower):
        command.add_parser(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    args = parser().parse_args(arguments)
    return exits.guarded(lambda: int(args.run(args)))


if __name__ == "__main__":
    sys.exit(main())
