"""`insight-engine source grant-script`: print the SQL by which a DBA makes a login that can read and no more.

Opens no database and never sees a password: the script holds a placeholder.
"""

import argparse
import sys

from insight_engine.cli import source_mysql, source_postgres
from insight_engine.cli.source_names import Wanted, WantedError

_SCRIPTS = {"postgres": source_postgres.script, "mysql": source_mysql.script}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("source", help="prepare a database to be a data source")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    grant = actions.add_parser(
        "grant-script",
        help="print the SQL that makes a least-privilege login",
        description="Prints SQL for a DBA to read, complete with a password, and run.",
    )
    grant.add_argument("--dialect", required=True, choices=sorted(_SCRIPTS))
    grant.add_argument("--login", required=True, metavar="NAME", help="the login to make")
    grant.add_argument(
        "--schema", action="append", default=[], metavar="S", help="a schema it may read; may be repeated"
    )
    grant.add_argument(
        "--table",
        action="append",
        default=[],
        metavar="S.T",
        help="only these tables of their schemas, instead of all; may be repeated",
    )
    grant.add_argument(
        "--connections", type=int, default=20, metavar="N", help="most connections at a time (default: 20)"
    )
    grant.add_argument("--timeout", type=int, default=300, metavar="SECONDS", help="longest statement")
    grant.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the script; 0, or 2 when a name cannot be used."""
    try:
        wanted = Wanted.read(args.login, args.schema, args.table, args.connections, args.timeout)
        script = _SCRIPTS[args.dialect](wanted)
    except WantedError as error:
        sys.stderr.write(f"insight-engine: {error}\n")
        return 2
    sys.stdout.write(script)
    return 0
