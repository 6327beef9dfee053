"""Judges column grants: of a table with such a grant, no other column may be read in any way. Pure.

Hidden columns leak through more than their names: stars, whole rows, NATURAL and USING, renamed columns, row
ids. Where it is not certain that a reference means something else, it is refused, and the sentence says what
to write instead.
"""

from collections.abc import Iterator

from sqlglot import exp

from insight_engine.domain.sources import Dialect
from insight_engine.sqlguard.columns import ROW_IDS, is_constant
from insight_engine.sqlguard.lexer import Kind, Token
from insight_engine.sqlguard.names import Names
from insight_engine.sqlguard.reasons import Reason, ReasonCode
from insight_engine.sqlguard.scopes import RowSource, Scope, Scopes

_BEFORE, _AFTER = frozenset("([{,:"), frozenset(",)]}")
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_END = Token(Kind.PUNCTUATION, "", 0, 0)


def check_readable(
    tokens: tuple[Token, ...], tree: exp.Expr, scopes: Scopes, names: Names
) -> Iterator[Reason]:
    """Yield a reason for each reference through which a column outside the grants might be read."""
    if not any(scope.limited for scope in scopes.every):
        return
    for token in tokens:
        if token.kind is Kind.STRING and token.text[0] == '"':
            message = "With ANSI_QUOTES this would name a column: put text in single quotes."
            yield names.where.reason(ReasonCode.AMBIGUOUS_TEXT, message, token.start)
    yield from _check_lone_words(tokens, tree, scopes, names)
    for scope in scopes.every:
        yield from _check_sources(scope, names)
    for node, scope in scopes.references:
        limited = [source for level in scope.chain() for source in level.limited]
        if isinstance(node, exp.Columns) and any(level.limited for level in scopes.every):
            yield _refused("COLUMNS() picks columns by itself: name the columns.", _place(node), names)
        elif isinstance(node, exp.Star):
            yield from _check_star(node, scope, names)
        elif limited and isinstance(node, exp.Column):
            yield from _check_column(node, scope, limited, names)


def _check_lone_words(
    tokens: tuple[Token, ...], tree: exp.Expr, scopes: Scopes, names: Names
) -> Iterator[Reason]:
    """Refuse `date_trunc(year, x)`, `@year`, `text 'x'`: grammar to the parser, to the database a column."""
    limited = {(s.table, s.rows): s for scope in scopes.every for s in scope.limited}.values()
    known = {identifier.meta.get("start") for identifier in tree.find_all(exp.Identifier)}
    for index in range(1, len(tokens)):
        token = tokens[index]
        if token.kind is not Kind.WORD or token.start in known or not _is_operand(tokens, index, names):
            continue
        if any(_hides(source, token.text, names) for source in limited):
            yield _hidden(token.text, token.start, names)


def _is_operand(tokens: tuple[Token, ...], index: int, names: Names) -> bool:
    """Whether a database could take a word for a column that stands there."""
    word, before = tokens[index].text, tokens[index - 1]
    after = tokens[index + 1] if index + 1 < len(tokens) else _END
    if word in names.policy.reserved or word.startswith(("current_", "local")):
        return False
    if word in {"true", "false"} and names.index is None:
        return False
    if after.kind is Kind.STRING:
        # `date '2026-01-01'` where the database has such literals; elsewhere `text 'x'` is text AS 'x'.
        return word in names.policy.types - names.policy.typed_literals
    ends = after is _END or after.text in _AFTER or after.kind is Kind.OPERATOR
    if before.kind is Kind.OPERATOR:
        is_type = before.text == "::" or after.text == "with"
        return not is_type and (ends or after.text in names.policy.reserved)
    return before.text in _BEFORE and ends and not _is_word_of_grammar(tokens, index, names)


def _is_word_of_grammar(tokens: tuple[Token, ...], index: int, names: Names) -> bool:
    """Whether the call that a word is an argument of takes it for a unit, a type or a form."""
    depth, commas = 0, 0
    for place in range(index - 1, 0, -1):
        sign = tokens[place].text if tokens[place].kind is Kind.PUNCTUATION else ""
        depth += (sign in _CLOSING) - (sign in _OPENING)
        commas += sign == "," and depth == 0
        if depth < 0:
            return (tokens[place - 1].text, commas) in names.policy.word_arguments
    return False


def _check_sources(scope: Scope, names: Names) -> Iterator[Reason]:
    if not scope.limited:
        return
    for source in scope.limited:
        if source.is_renamed:
            message = "Columns of a table that is not granted whole keep their names: drop the list after AS."
            yield _refused(message, source.place, names)
    for join in scope.joins:
        if str(join.args.get("method") or "").upper() == "NATURAL":
            message = "NATURAL JOIN compares columns that are not granted to you: write JOIN … ON."
            yield _refused(message, _place(join), names)
        for identifier in join.args.get("using") or ():
            column = identifier.this if isinstance(identifier, exp.Column) else identifier
            name = names.spelled(column)
            if any(_hides(source, name, names) for source in scope.limited):
                yield _hidden(name, _place(column), names)


def _check_star(star: exp.Star, scope: Scope, names: Names) -> Iterator[Reason]:
    parent = star.parent
    if isinstance(parent, exp.Count):
        return
    limited: list[RowSource] = list(scope.limited)
    if isinstance(parent, exp.Column) and isinstance(parent.args.get("table"), exp.Identifier):
        qualifier = names.spelled(parent.args["table"])
        found = [source for level in scope.chain() for source in level.by_name.get(qualifier, ())]
        if found and not _may_be_field(qualifier, None, scope, names):
            limited = [source for source in found if source.readable is not None]
        elif found:
            limited = [source for level in scope.chain() for source in level.limited]
    if limited:
        granted = ", ".join(sorted(limited[0].readable or ())[:20]) or "none"
        message = f"* reads columns that are not granted to you: name the columns, of these: {granted}."
        yield _refused(message, _place(star), names)


def _check_column(node: exp.Column, scope: Scope, limited: list[RowSource], names: Names) -> Iterator[Reason]:
    if not isinstance(node.this, exp.Identifier):
        return
    name, offset = names.spelled(node.this), _place(node.this)
    qualifier = node.args.get("table")
    if is_constant(node, names):
        return
    if not isinstance(qualifier, exp.Identifier):
        yield from _check_plain(name, offset, limited, names)
        return
    spelled = names.spelled(qualifier)
    found = [source for level in scope.chain() for source in level.by_name.get(spelled, ())]
    if any(source.readable is not None and name not in source.readable for source in found):
        yield _hidden(name, offset, names)
    elif not found or _may_be_field(spelled, name, scope, names):
        first = node.args.get("catalog") or node.args.get("db") or qualifier
        yield from _check_plain(names.spelled(first), offset, limited, names)
        if first is not qualifier or names.policy.column_functions:
            message = (
                f"It is not certain which table {spelled}.{name} is of: write the table's alias before it."
            )
            yield _refused(message, offset, names)


def _may_be_field(qualifier: str, name: str | None, scope: Scope, names: Names) -> bool:
    """Whether `qualifier.name` may be a field of a hidden column, to DuckDB, or `qualifier.*` all of them.

    The innermost query counts in which a row source of that name has the column, or a table a column of it.
    """
    if names.policy.dialect is not Dialect.DUCKDB:
        return False
    for level in scope.chain():
        found = level.by_name.get(qualifier, [])
        if any(name is None or name in source.rows.columns for source in found):
            return False
        if any(_hides(source, qualifier, names) for source in level.limited):
            # Without a catalog any name may be hidden; a table's is taken for the table.
            every = [source for other in scope.chain() for source in other.by_name.get(qualifier, ())]
            return names.index is not None or all(source.table is None for source in every)
    return False


def _check_plain(name: str, offset: int, limited: list[RowSource], names: Names) -> Iterator[Reason]:
    if any(source.name == name or (source.table or ("", ""))[1] == name for source in limited):
        message = f"{name} alone reads whole rows, with columns not granted to you: name the columns."
        yield _refused(message, offset, names)
    elif any(_hides(source, name, names) for source in limited):
        yield _hidden(name, offset, names)


def _hides(source: RowSource, name: str, names: Names) -> bool:
    """Whether a name alone might mean a column of that table that is not granted."""
    readable = source.readable
    if readable is None or name in readable:
        return False
    known = source.table is not None and not source.rows.is_open
    is_row_id = name in ROW_IDS and not names.policy.case_sensitive_quotes
    return is_row_id or not known or name in source.rows.columns


def _hidden(name: str, offset: int, names: Names) -> Reason:
    message = (
        f"The column {name} is, or may be, one that is not granted to you: leave it out, or if another"
        " table's is meant, write that table's alias before it."
    )
    return _refused(message, offset, names)


def _refused(message: str, offset: int, names: Names) -> Reason:
    return names.where.reason(ReasonCode.COLUMN_NOT_GRANTED, message, offset)


def _place(node: exp.Expr) -> int:
    """Where a node, or else the first thing below it that has a place, stands in the text."""
    for found in node.walk():
        start = found.meta.get("start")
        if isinstance(start, int):
            return start
    return 0
