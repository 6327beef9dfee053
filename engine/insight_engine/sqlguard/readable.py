"""Judges column grants: of a table with such a grant, no other column may be read in any way. Pure.

Hidden columns leak through more than their names: stars, whole rows, NATURAL and USING, renamed columns, row
ids. Where it is not certain that a reference means something else, it is refused, and the sentence says what
to write instead.
"""

from collections.abc import Iterator

from sqlglot import exp

from insight_engine.sqlguard.columns import ROW_IDS
from insight_engine.sqlguard.lexer import Kind, Token
from insight_engine.sqlguard.names import Names
from insight_engine.sqlguard.reasons import Reason, ReasonCode
from insight_engine.sqlguard.scopes import RowSource, Scope, Scopes

_BEFORE, _AFTER = frozenset("(,"), frozenset(",)")
_UNIT_FIRST = frozenset({"timestampdiff", "timestampadd"})


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
    """Refuse `date_trunc(year, x)`: a unit to the parser, to the database it may be a hidden column."""
    limited = [source for scope in scopes.every for source in scope.limited]
    known = {identifier.meta.get("start") for identifier in tree.find_all(exp.Identifier)}
    for index in range(2, len(tokens) - 1):
        token = tokens[index]
        is_lone = tokens[index - 1].text in _BEFORE and tokens[index + 1].text in _AFTER
        if is_lone and token.kind is Kind.WORD and token.start not in known:
            is_column = not _is_word_of_grammar(tokens, index, names)
            if is_column and any(_hides(source, token.text, names) for source in limited):
                yield _hidden(token.text, token.start, names)


def _is_word_of_grammar(tokens: tuple[Token, ...], index: int, names: Names) -> bool:
    """Whether no database could take a word for a column that stands there."""
    word, function = tokens[index].text, tokens[index - 2].text
    constant = word in names.policy.reserved or word.startswith(("current_", "local"))
    return constant or function in _UNIT_FIRST


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
        if found:
            limited = [source for source in found if source.readable is not None]
    if limited:
        granted = ", ".join(sorted(limited[0].readable or ())[:20]) or "none"
        message = f"* reads columns that are not granted to you: name the columns, of these: {granted}."
        yield _refused(message, _place(star), names)


def _check_column(node: exp.Column, scope: Scope, limited: list[RowSource], names: Names) -> Iterator[Reason]:
    if not isinstance(node.this, exp.Identifier):
        return
    name, offset = names.spelled(node.this), _place(node.this)
    qualifier = node.args.get("table")
    if not isinstance(qualifier, exp.Identifier):
        yield from _check_plain(name, offset, limited, names)
        return
    spelled = names.spelled(qualifier)
    found = [source for level in scope.chain() for source in level.by_name.get(spelled, ())]
    if any(source.readable is not None and name not in source.readable for source in found):
        yield _hidden(name, offset, names)
    elif not found:
        first = node.args.get("catalog") or node.args.get("db") or qualifier
        yield from _check_plain(names.spelled(first), offset, limited, names)
        if first is not qualifier or names.policy.column_functions:
            message = (
                f"It is not certain which table {spelled}.{name} is of: write the table's alias before it."
            )
            yield _refused(message, offset, names)


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
