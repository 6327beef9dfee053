"""`insight-engine guard`: judge statements from stdin, one JSON line each. Opens no database."""

import argparse
from typing import Any


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("guard", help="judge SQL statements read as JSON lines from stdin")
    parser.set_defaults(run=run)


def run(args: Any) -> int:
    """Run the sub-command; the exit code."""
    raise NotImplementedError(args)
