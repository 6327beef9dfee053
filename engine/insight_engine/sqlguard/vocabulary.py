"""Judges every word of the text: grammar, name, type or function call. Pure.

The text is judged, not the tree: whatever the parser made of it, the database will read these words. A word
is allowed as one of the policy's keywords or types, as a name where the tree has a name at that very place,
or before a parenthesis as one of the policy's functions.
"""

import re
from collections.abc import Iterator

from sqlglot import exp

from insight_engine.sqlguard.lexer import Kind, Token
from insight_engine.sqlguard.policy import Policy
from insight_engine.sqlguard.reasons import Reason, ReasonCode
from insight_engine.sqlguard.text import Positions

_FORMATS = frozenset({"format", "printf"})
_WIDE = re.compile(r"%[^%A-Za-z]*(?:[0-9]{5}|\*)|\{[^}]*(?:[0-9]{5}|\{)")
_NAMES = (Kind.WORD, Kind.QUOTED)


def check_words(
    tokens: tuple[Token, ...], tree: exp.Expr, policy: Policy, where: Positions
) -> Iterator[Reason]:
    """Yield a reason for each word or symbol that the policy does not allow at its place."""
    names, headed = _names(tree)
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else None
        after = tokens[index + 1] if index + 1 < len(tokens) else None
        if token.kind is Kind.OPERATOR and token.text not in policy.operators:
            message = f"The operator {token.text} is not allowed: use a plain comparison or function."
            yield where.reason(ReasonCode.OPERATOR_NOT_ALLOWED, message, token.start)
        elif token.kind is Kind.STRING and token.start in names:
            yield _literal_as_name(token, where)
        elif token.kind in _NAMES:
            if after is not None and after.text == "(" and after.kind is Kind.PUNCTUATION:
                first = tokens[index + 2] if index + 2 < len(tokens) else None
                if token.start not in headed or first is None or first.kind not in _NAMES:
                    yield from _call(token, before, policy, where)
                    if token.text in _FORMATS and not _is_plain_format(tokens[index + 2 : index + 4]):
                        yield _too_wide(token, where)
            elif token.kind is Kind.WORD:
                yield from _word(token, before, after, token.start in names, policy, where)


def _names(tree: exp.Expr) -> tuple[set[int], set[int]]:
    """Offsets of all names in the tree, and of those that head a list of column names: `t(a, b)`."""
    names: set[int] = set()
    headed: set[int] = set()
    for node in tree.find_all(exp.Identifier):
        start = node.meta.get("start")
        if start is None:
            continue
        names.add(start)
        parent = node.parent
        if isinstance(parent, exp.TableAlias) and node.arg_key == "this" and parent.args.get("columns"):
            headed.add(start)
    return names, headed


def _call(token: Token, before: Token | None, policy: Policy, where: Positions) -> Iterator[Reason]:
    qualified = before is not None and before.text == "." and before.kind is Kind.PUNCTUATION
    known = token.text in policy.functions or token.text in policy.types
    grammar = token.text in policy.keywords and token.text in policy.reserved
    if token.kind is Kind.WORD and not qualified and (known or grammar):
        return
    if token.kind is Kind.WORD and not qualified and token.text in policy.reserved:
        yield _keyword(token, where)
        return
    message = f"The function {token.text} is not allowed"
    if known and token.kind is Kind.QUOTED:
        message += " in quotes: write its name plainly."
    elif known:
        message += " after a dot: write its name alone."
    else:
        message += ": only functions on the list of the data source's dialect may be called."
    yield where.reason(ReasonCode.FUNCTION_NOT_ALLOWED, message, token.start)


def _word(
    token: Token, before: Token | None, after: Token | None, is_name: bool, policy: Policy, where: Positions
) -> Iterator[Reason]:
    grammar = token.text in policy.keywords or token.text in policy.types
    qualified = before is not None and before.text == "." and before.kind is Kind.PUNCTUATION
    if not grammar and token.text in policy.reserved and not (qualified and is_name):
        yield _keyword(token, where)
    elif not grammar and not is_name:
        message = f"{token.text!r} is not understood here: if it is a name, put it in double quotes."
        yield where.reason(ReasonCode.KEYWORD_NOT_ALLOWED, message, token.start)
    elif after is not None and after.kind is Kind.STRING and not grammar:
        message = f"{token.text!r} before a literal is not a known type: write CAST('…' AS type)."
        yield where.reason(ReasonCode.TYPE_NOT_ALLOWED, message, token.start)


def _keyword(token: Token, where: Positions) -> Reason:
    message = f"{token.text.upper()} is not allowed: only reading queries run; quote it if it is a name."
    return where.reason(ReasonCode.KEYWORD_NOT_ALLOWED, message, token.start)


def _literal_as_name(token: Token, where: Positions) -> Reason:
    message = "A text in single quotes stands where a name belongs: put names in double quotes."
    return where.reason(ReasonCode.FILE_AS_TABLE, message, token.start)


def _is_plain_format(argument: tuple[Token, ...]) -> bool:
    """Whether the first argument is one whole literal that asks for no great width."""
    literal = argument[0].kind is Kind.STRING and argument[-1].text in {",", ")"}
    return literal and not _WIDE.search(argument[0].text)


def _too_wide(token: Token, where: Positions) -> Reason:
    message = f"The first argument of {token.text} must be one literal with widths up to 9999: write it so."
    return where.reason(ReasonCode.TOO_COMPLEX, message, token.start)
