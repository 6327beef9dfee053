"""`insight-engine guard`: judge statements read from stdin, one JSON line each. Opens no database.

A line that cannot be read gets a verdict too: whoever counts verdicts finds one for every line.
"""

import argparse
import json
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import NoneType
from typing import Any, BinaryIO, TextIO

from insight_engine.domain.query import QueryLimits
from insight_engine.domain.sources import Catalog, DataSource, Dialect, Grants, Role
from insight_engine.sqlguard import Reason, ReasonCode, Rejected, prepare
from insight_engine.sqlguard.policies import POLICIES

_OK, _CONFIGURATION = 0, 78


_DESCRIPTION = """\
Judges SQL statements by the policy that guards every data source. Opens no database, runs nothing.

Reads one JSON object per line:   {"id": 1, "sql": "SELECT …", "parameters": [7]}
  id          anything; it comes back with the verdict
  sql         the statement
  parameters  optional: a list for $1 and ?, an object for :name and $name

Prints one JSON verdict per line, in the same order:
  {"id": 1, "allowed": false, "reasons": [{"code": …, "message": …, "line": 1, "column": 8}], "tables": []}
A line that cannot be read gets a verdict too, with the code bad_request."""
_EPILOG = """\
example:
  echo '{"id": 1, "sql": "SELECT pg_sleep(9)"}' | insight-engine guard --dialect postgres

Exit code: 0 whatever the verdicts; 2 for a dialect or an option that does not exist; 78 when a file given by
--schema or --grants cannot be used."""


class InputError(Exception):
    """A file given by an option does not hold what it should."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command to `insight-engine`."""
    parser = subparsers.add_parser(
        "guard",
        help="judge SQL statements",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--dialect",
        required=True,
        type=_dialect,
        metavar="D",
        help=f"{_spoken_dialects()}; mysql is for MariaDB too",
    )
    parser.add_argument(
        "--schema",
        metavar="S",
        help='JSON file, or the JSON itself: {"public": {"orders": ["id", "total"]}}.'
        " Without it every table but the database's own is granted",
    )
    parser.add_argument(
        "--grants",
        metavar="G",
        help='JSON file, or the JSON itself: {"schemas": ["public"], "tables": ["public.orders"],'
        ' "columns": {"public.customers": ["id", "city"]}}, each optional; as in sources.json',
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Judge stdin; 0 whatever the verdicts, 78 when a file cannot be used."""
    option = "--schema"
    try:
        catalog = None if args.schema is None else read_catalog(args.schema)
        option = "--grants"
        granted = None if args.grants is None else read_grants(args.grants)
    except InputError as error:
        sys.stderr.write(f"{option}: {error}\n")
        return _CONFIGURATION
    try:
        judge_lines(sys.stdin.buffer, sys.stdout, args.dialect, catalog, granted)
    except BrokenPipeError:
        sys.stderr.close()
    return _OK


def _spoken_dialects() -> str:
    *most, last = (dialect.value for dialect in Dialect)
    return f"{', '.join(most)} or {last}"


def _dialect(name: str) -> Dialect:
    try:
        return Dialect(name)
    except ValueError:
        message = f"there is no policy for {name!r}, so nothing of it may run: use {_spoken_dialects()}"
        raise argparse.ArgumentTypeError(message) from None


def judge_lines(
    lines: BinaryIO, out: TextIO, dialect: Dialect, catalog: Catalog | None, granted: Grants | None = None
) -> None:
    """Write one verdict for each line that is not blank."""
    source, grants = _source(dialect, catalog, granted)
    for line in lines:
        if line.strip():
            out.write(json.dumps(_verdict(line, source, grants, catalog)) + "\n")
            out.flush()


def read_catalog(text: str) -> Catalog:
    """The catalog in a JSON file, or in the text itself when it starts with a brace.

    Raises:
        InputError: says what is wrong with it.
    """
    try:
        return {
            schema: {table: tuple(str(c) for c in columns) for table, columns in tables.items()}
            for schema, tables in _json(text).items()
        }
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise InputError('write JSON like {"public": {"orders": ["id", "total"]}}') from None


def read_grants(text: str) -> Grants:
    """The grants in a JSON file, or in the text itself; without `schemas`, every schema is granted.

    Raises:
        InputError: says what is wrong with them.
    """
    try:
        content = _json(text)
        unknown = sorted(set(content) - {"schemas", "tables", "columns"})
        if unknown:
            raise InputError(f"{unknown[0]!r} is no part of grants: use schemas, tables and columns")
        schemas = content.get("schemas")
        return Grants(
            schemas=_names(schemas or []),
            tables=_names(content.get("tables", [])),
            columns={table: _names(columns) for table, columns in content.get("columns", {}).items()},
            any_schema=schemas is None,
        )
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise InputError('write JSON like {"columns": {"public.customers": ["id", "city"]}}') from None


def _names(listed: Any) -> frozenset[str]:
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise TypeError
    return frozenset(listed)


def _json(text: str) -> Any:
    try:
        return json.loads(text if text.lstrip().startswith("{") else Path(text).read_text("utf-8"))
    except OSError as error:
        raise InputError(f"cannot read the file: {error.strerror}") from None


def _source(dialect: Dialect, catalog: Catalog | None, granted: Grants | None) -> tuple[DataSource, Grants]:
    default = POLICIES[dialect].default_schema
    schemas = tuple(sorted(catalog or (default,), key=lambda name: name != default))
    source = DataSource("guard", dialect, schemas, frozenset(Role), path=None)
    return source, granted or Grants(frozenset(schemas), any_schema=catalog is None)


def _verdict(line: bytes, source: DataSource, grants: Grants, catalog: Catalog | None) -> dict[str, Any]:
    identifier: Any = None
    sql: Any = None
    parameters: Any = None
    with suppress(ValueError, AttributeError, TypeError, KeyError, RecursionError):
        request = json.loads(line)
        identifier = request.get("id")
        sql, parameters = request["sql"], request.get("parameters")
    tables: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    if isinstance(sql, str) and isinstance(parameters, list | dict | NoneType):
        try:
            tables = prepare(
                sql,
                source=source,
                grants=grants,
                limits=QueryLimits(),
                parameters=parameters,
                catalog=catalog,
            ).tables
        except Rejected as rejected:
            reasons = rejected.reasons
    else:
        message = 'The line is not of the form {"id": …, "sql": "…", "parameters": […]}.'
        reasons = (Reason(ReasonCode.BAD_REQUEST, message),)
    return {
        "id": identifier,
        "allowed": not reasons,
        "reasons": [asdict(reason) for reason in reasons],
        "tables": list(tables),
    }
