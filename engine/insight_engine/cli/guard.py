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


class CatalogError(Exception):
    """The file given by --schema does not hold a catalog."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command to `insight-engine`."""
    parser = subparsers.add_parser(
        "guard",
        help="judge SQL statements",
        description='Reads {"id": …, "sql": …} lines on stdin, prints one verdict per line on stdout.',
    )
    parser.add_argument("--dialect", required=True, choices=[dialect.value for dialect in Dialect])
    parser.add_argument(
        "--schema",
        metavar="S",
        help="JSON file, schema → table → columns; without it every table but the database's own is granted",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Judge stdin; 0 whatever the verdicts, 78 when the schema file cannot be used."""
    try:
        catalog = None if args.schema is None else read_catalog(args.schema)
    except CatalogError as error:
        sys.stderr.write(f"--schema: {error}\n")
        return _CONFIGURATION
    try:
        judge_lines(sys.stdin.buffer, sys.stdout, Dialect(args.dialect), catalog)
    except BrokenPipeError:
        sys.stderr.close()
    return _OK


def judge_lines(lines: BinaryIO, out: TextIO, dialect: Dialect, catalog: Catalog | None) -> None:
    """Write one verdict for each line that is not blank."""
    source, grants = _source(dialect, catalog)
    for line in lines:
        if line.strip():
            out.write(json.dumps(_verdict(line, source, grants, catalog)) + "\n")
            out.flush()


def read_catalog(text: str) -> Catalog:
    """The catalog in a JSON file, or in the text itself when it starts with a brace.

    Raises:
        CatalogError: says what is wrong with it.
    """
    try:
        content = json.loads(text if text.lstrip().startswith("{") else Path(text).read_text("utf-8"))
        return {
            schema: {table: tuple(str(c) for c in columns) for table, columns in tables.items()}
            for schema, tables in content.items()
        }
    except OSError as error:
        raise CatalogError(f"cannot read the file: {error.strerror}") from None
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise CatalogError('write JSON like {"public": {"orders": ["id", "total"]}}') from None


def _source(dialect: Dialect, catalog: Catalog | None) -> tuple[DataSource, Grants]:
    default = POLICIES[dialect].default_schema
    schemas = tuple(sorted(catalog or (default,), key=lambda name: name != default))
    source = DataSource("guard", dialect, schemas, frozenset(Role), path=None)
    return source, Grants(frozenset(schemas), any_schema=catalog is None)


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
    if isinstance(sql, str) and isinstance(parameters, list | NoneType):
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
        message = 'The line is not of the form {"id": …, "sql": "…"}.'
        reasons = (Reason(ReasonCode.BAD_REQUEST, message),)
    return {
        "id": identifier,
        "allowed": not reasons,
        "reasons": [asdict(reason) for reason in reasons],
        "tables": list(tables),
    }
