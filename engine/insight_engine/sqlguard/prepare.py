"""prepare(): judge a statement against policy and grants; the only maker of PreparedQuery. Pure.

The order is the defence: characters, tokens, shape, then the parser, then agreement of both readings, then
every word, node and name. What passes is sealed as it stands; nothing is ever rewritten.
"""

import logging
from collections.abc import Iterator
from itertools import islice

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect as ParserDialect
from sqlglot.errors import ErrorLevel, SqlglotError

from insight_engine.domain.query import QueryLimits
from insight_engine.domain.sources import Catalog, DataSource, Dialect, Grants
from insight_engine.sqlguard.agreement import check_agreement
from insight_engine.sqlguard.arrows import restore_columns
from insight_engine.sqlguard.bounds import check_bounds
from insight_engine.sqlguard.columns import check_columns
from insight_engine.sqlguard.effort import check_effort
from insight_engine.sqlguard.lexer import Kind, Token, read
from insight_engine.sqlguard.names import Names
from insight_engine.sqlguard.parameters import bound, check_parameters
from insight_engine.sqlguard.policies import POLICIES
from insight_engine.sqlguard.policy import Policy
from insight_engine.sqlguard.readable import check_readable
from insight_engine.sqlguard.reader import read_scopes
from insight_engine.sqlguard.reasons import Reason, ReasonCode, Rejected
from insight_engine.sqlguard.sealed import Facts, Parameters, PreparedQuery, claim_sealer
from insight_engine.sqlguard.shape import check_shape
from insight_engine.sqlguard.tables import check_tables
from insight_engine.sqlguard.text import Positions, check_text
from insight_engine.sqlguard.tree import check_nodes, has_whole_names, is_query
from insight_engine.sqlguard.vocabulary import check_words

MAX_REASONS = 20
MAX_TABLES = 128
_FIRST_WORDS = frozenset({"select", "with", "values", "from"})
_seal = claim_sealer()
# The parser would log statements it gives up on; what users ask is not for the log.
logging.getLogger("sqlglot").addHandler(logging.NullHandler())
logging.getLogger("sqlglot").propagate = False


def prepare(
    sql: str,
    *,
    source: DataSource,
    grants: Grants,
    limits: QueryLimits,
    parameters: Parameters | None = None,
    catalog: Catalog | None = None,
) -> PreparedQuery:
    """Judge `sql` and seal it for execution.

    Args:
        sql: one query, as the user wrote it.
        source: what it will run on; decides the dialect and where unqualified tables are looked up.
        grants: what the caller may read.
        limits: caps to carry along.
        parameters: values for the statement's placeholders, by position or by name.
        catalog: the source's tables and columns, when known: columns are then checked one by one.

    Raises:
        Rejected: with the reasons found (at most 20), when it may not run.
    """
    policy = POLICIES[source.dialect]
    check_text(sql)
    values = bound(parameters)
    where = Positions(sql)
    tokens = _statement(read(sql, policy), where)
    check_shape(tokens, where)
    check_effort(tokens, policy, where)
    text = sql[: tokens[-1].end]
    tree = _parse(text, tokens, policy, where)
    restore_columns(tree, tokens, policy)
    names = Names.of(policy, source, grants, catalog, where)
    try:
        reasons = [*islice(_judge(tokens, tree, names), MAX_REASONS)]
    except RecursionError:
        message = "The statement is nested too deeply: name parts of it in WITH."
        raise Rejected((where.reason(ReasonCode.TOO_COMPLEX, message, tokens[0].start),)) from None
    reasons += check_parameters(tokens, tree, values, policy, where)
    if reasons:
        raise Rejected(tuple(dict.fromkeys(reasons)))
    tables = tuple(sorted(f"{schema}.{table}" for schema, table in names.tables))
    return _seal(Facts(text, source, values, limits, tables, policy.digest))


def policy_digest(dialect: Dialect) -> str:
    """Fingerprint of the policy that judges a dialect."""
    return POLICIES[dialect].digest


def _statement(tokens: tuple[Token, ...], where: Positions) -> tuple[Token, ...]:
    end = len(tokens)
    while end and tokens[end - 1].kind is Kind.PUNCTUATION and tokens[end - 1].text == ";":
        end -= 1
    if not end:
        raise Rejected((Reason(ReasonCode.EMPTY, "There is no statement: write a SELECT."),))
    for token in tokens[:end]:
        if token.kind is Kind.PUNCTUATION and token.text == ";":
            message = "Only one statement may run: send each on its own."
            raise Rejected((where.reason(ReasonCode.MULTIPLE_STATEMENTS, message, token.start),))
    first = next((token for token in tokens[:end] if token.text != "("), tokens[0])
    if first.kind is not Kind.WORD or first.text not in _FIRST_WORDS:
        raise Rejected((_not_a_query(first, where),))
    return tokens[:end]


def _parse(text: str, tokens: tuple[Token, ...], policy: Policy, where: Positions) -> exp.Expr:
    dialect = ParserDialect.get_or_raise(policy.dialect.value)
    try:
        readable = _without_numbers(text, tokens)
        parsed = dialect.tokenize(readable)
        check_agreement(tokens, parsed, where)
        trees = dialect.parser(error_level=ErrorLevel.IMMEDIATE).parse(parsed, readable)
    except SqlglotError as error:
        raise Rejected((_syntax(error, tokens[0], where),)) from None
    except (RecursionError, ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError):
        message = "The statement cannot be read: write it more plainly."
        raise Rejected((where.reason(ReasonCode.SYNTAX, message, tokens[0].start),)) from None
    tree = trees[0] if len(trees) == 1 else None
    if tree is None:
        message = "Only one statement may run: send each on its own."
        raise Rejected((where.reason(ReasonCode.MULTIPLE_STATEMENTS, message, tokens[0].start),))
    if not is_query(tree):
        raise Rejected((_not_a_query(tokens[0], where),))
    if not has_whole_names(tree):
        message = "A name before or after a dot is missing: write schema.table."
        raise Rejected((where.reason(ReasonCode.SYNTAX, message, tokens[0].start),))
    return tree


def _without_numbers(text: str, tokens: tuple[Token, ...]) -> str:
    """For the parser only: SQLite's `?1`, which it does not know, as a name of the same length."""
    parts, end = [], 0
    for token in tokens:
        if token.kind is Kind.PARAMETER and token.text[0] == "?" and len(token.text) > 1:
            parts += [text[end : token.start], ":", "p" * (len(token.text) - 1)]
            end = token.end
    return "".join((*parts, text[end:]))


def _judge(tokens: tuple[Token, ...], tree: exp.Expr, names: Names) -> Iterator[Reason]:
    found = [*check_words(tokens, tree, names.policy, names.where)]
    yield from found
    named = any(reason.code is ReasonCode.FUNCTION_NOT_ALLOWED for reason in found)
    for reason in check_nodes(tree, names.policy, names.where):
        if not (named and reason.code is ReasonCode.FUNCTION_NOT_ALLOWED):
            yield reason
    scopes = read_scopes(tree, names)
    if len(scopes.tables) > MAX_TABLES:  # each column is looked for in all of them
        message = f"The statement reads more than {MAX_TABLES} tables: split it."
        yield names.where.reason(ReasonCode.TOO_COMPLEX, message, tokens[0].start)
        return
    yield from check_tables(scopes, names)
    yield from check_columns(tree, scopes, names)
    yield from check_readable(tokens, tree, scopes, names)
    yield from check_bounds(tokens, tree, scopes, names)


def _syntax(error: SqlglotError, first: Token, where: Positions) -> Reason:
    details = getattr(error, "errors", None) or [{}]
    message = "The statement cannot be read from here on: check the spelling, commas and brackets."
    line, column = details[0].get("line"), details[0].get("col")
    if isinstance(line, int) and isinstance(column, int):
        return Reason(ReasonCode.SYNTAX, message, line, column)
    return where.reason(ReasonCode.SYNTAX, message, first.start)


def _not_a_query(first: Token, where: Positions) -> Reason:
    message = "Only queries may run: start with SELECT, WITH or VALUES."
    return where.reason(ReasonCode.NOT_A_QUERY, message, first.start)
