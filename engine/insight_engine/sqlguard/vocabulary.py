"""Judges every word of the text: grammar, name, type or function call. Pure.

The text is judged, not the tree: whatever the parser made of it, the database will read these words. A word
is allowed as one of the policy's keywords or types, as a name where the tree has a name at that very place,
or before a parenthesis as one of the policy's functions.
"""

from collections.abc import Iterator

from sqlglot import exp

from insight_engine.sqlguard.calls import check_arguments
from insight_engine.sqlguard.lexer import Kind, Token
from insight_engine.sqlguard.policy import Policy
from insight_engine.sqlguard.reasons import Reason, ReasonCode
from insight_engine.sqlguard.text import Positions

# Methods of TABLESAMPLE; elsewhere they would be functions, and system() is what intruders call theirs.
_SAMPLING = frozenset({"bernoulli", "system", "reservoir"})
_NAMES = (Kind.WORD, Kind.QUOTED)


def check_words(
    tokens: tuple[Token, ...], tree: exp.Expr, policy: Policy, where: Positions
) -> Iterator[Reason]:
    """Yield a reason for each word or symbol that the policy does not allow at its place."""
    names, headed, results = _names(tree)
    for index, token in enumerate(tokens):
        before = tokens[index - 1] if index else None
        after = tokens[index + 1] if index + 1 < len(tokens) else None
        if token.kind is Kind.OPERATOR and token.text not in policy.operators:
            message = f"The operator {token.text} is not allowed: use a plain comparison or function."
            yield where.reason(ReasonCode.OPERATOR_NOT_ALLOWED, message, token.start)
        elif token.kind is Kind.STRING and token.start in names:
            if token.start not in results or not policy.literal_aliases:
                yield _literal_as_name(token, policy, where)
        elif token.kind in _NAMES:
            if after is not None and after.text == "(" and after.kind is Kind.PUNCTUATION:
                first = tokens[index + 2] if index + 2 < len(tokens) else None
                if token.start not in headed or first is None or first.kind not in _NAMES:
                    yield from _call(token, before, policy, where)
                    yield from check_arguments(tokens, index, policy, where)
            elif token.kind is Kind.WORD:
                yield from _word(token, before, after, token.start in names, policy, where)
            elif token.start not in names and not _is_key(before, after):
                # The parser drops what it takes for a unit, or for one argument too many; databases do not.
                message = f"The name {token.text!r} is not understood at this place: leave it out."
                yield where.reason(ReasonCode.KEYWORD_NOT_ALLOWED, message, token.start)


def _is_key(before: Token | None, after: Token | None) -> bool:
    """`{"a": 1}`: the parser makes the key anew, without its place."""
    return before is not None and before.text in {"{", ","} and after is not None and after.text == ":"


def _names(tree: exp.Expr) -> tuple[set[int], set[int], set[int]]:
    """Offsets of all names, of those that head a list of column names (`t(a, b)`), and of those after AS."""
    names: set[int] = set()
    headed: set[int] = set()
    results: set[int] = set()
    for node in tree.find_all(exp.Identifier):
        start = node.meta.get("start")
        if start is None:
            continue
        names.add(start)
        parent = node.parent
        if isinstance(parent, exp.TableAlias) and node.arg_key == "this" and parent.args.get("columns"):
            headed.add(start)
        elif isinstance(parent, exp.Alias) and node.arg_key == "alias":
            results.add(start)
    return names, headed, results


def _call(token: Token, before: Token | None, policy: Policy, where: Positions) -> Iterator[Reason]:
    qualified = before is not None and before.text == "." and before.kind is Kind.PUNCTUATION
    known = token.text in policy.functions or token.text in policy.types
    if token.text in _SAMPLING and (before is None or before.text not in {"tablesample", "sample"}):
        known = False
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
    elif not grammar and not is_name and not (before is not None and before.text == "collate"):
        message = f"{token.text!r} is not understood here: if it is a name, put it in {policy.name_quotes}."
        yield where.reason(ReasonCode.KEYWORD_NOT_ALLOWED, message, token.start)
    elif after is not None and after.kind is Kind.STRING and not grammar:
        message = f"{token.text!r} before a literal is not a known type: write CAST('…' AS type)."
        yield where.reason(ReasonCode.TYPE_NOT_ALLOWED, message, token.start)


def _keyword(token: Token, where: Positions) -> Reason:
    message = f"{token.text.upper()} is not allowed: only reading queries run; quote it if it is a name."
    return where.reason(ReasonCode.KEYWORD_NOT_ALLOWED, message, token.start)


def _literal_as_name(token: Token, policy: Policy, where: Positions) -> Reason:
    message = f"A quoted text stands where a name belongs: put names in {policy.name_quotes}."
    return where.reason(ReasonCode.FILE_AS_TABLE, message, token.start)
