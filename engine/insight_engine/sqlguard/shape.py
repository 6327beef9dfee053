"""Limits on the shape of a statement, before the parser recurses into it. Pure, one pass.

The parser goes down one call per level of nesting, in compiled code that knows no recursion limit; so depth
is bounded here, where it is only counted.
"""

from insight_engine.sqlguard.lexer import Kind, Token
from insight_engine.sqlguard.reasons import Reason, ReasonCode, Rejected
from insight_engine.sqlguard.text import Positions

MAX_DEPTH = 48
MAX_PREFIX_RUN = 16
MAX_JOINS = 64
MAX_SELECTS = 128
_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")
_PREFIXES = frozenset(
    {"not", "-", "+", "~", "@", "|/", "||/", "case", "when", "exists", "distinct", "all", "select"}
)


def check_shape(tokens: tuple[Token, ...], where: Positions) -> None:
    """Refuse nesting, chains and numbers of parts that no readable statement has.

    Raises:
        Rejected: at the first token that goes too far.
    """
    depth = cases = run = joins = selects = 0
    for token in tokens:
        text = token.text if token.kind in {Kind.WORD, Kind.OPERATOR, Kind.PUNCTUATION} else ""
        depth += (text in _OPEN and text != "") - (text in _CLOSE and text != "")
        cases += (text == "case") - (text == "end" and cases > 0)
        run = run + 1 if text in _PREFIXES else 0
        joins += text == "join"
        selects += text == "select"
        if depth < 0:
            raise Rejected((where.reason(ReasonCode.SYNTAX, f"There is a {text!r} too many.", token.start),))
        for count, most, what in (
            (depth + cases, MAX_DEPTH, "levels of nesting"),
            (run, MAX_PREFIX_RUN, "signs in a row"),
            (joins, MAX_JOINS, "joins"),
            (selects, MAX_SELECTS, "SELECTs"),
        ):
            if count > most:
                raise Rejected((_too_much(where, token, most, what),))
    if depth:
        message = "A bracket is never closed: close it."
        raise Rejected((where.reason(ReasonCode.SYNTAX, message, tokens[-1].start),))


def _too_much(where: Positions, token: Token, most: int, what: str) -> Reason:
    message = f"The statement has more than {most} {what}: name the parts in WITH, or split it."
    return where.reason(ReasonCode.TOO_COMPLEX, message, token.start)
