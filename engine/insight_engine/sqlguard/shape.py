"""Limits on the shape of a statement, before the parser recurses into it. Pure, one pass.

The parser goes down one call per level of nesting, in compiled code that knows no recursion limit; so depth
is bounded here, where it is only counted.
"""

from insight_engine.sqlguard.lexer import Kind, Token
from insight_engine.sqlguard.policy import words
from insight_engine.sqlguard.reasons import Reason, ReasonCode, Rejected
from insight_engine.sqlguard.text import Positions

_DEPTH, _LISTS, _RUN = "levels of nesting", "lists inside lists", "signs in a row"
_JOINS, _SELECTS = "joins", "SELECTs"
_MOST = {_DEPTH: 48, _LISTS: 8, _RUN: 16, _JOINS: 64, _SELECTS: 128}
_COUNTED = {
    "(": (_DEPTH,),
    "[": (_DEPTH, _LISTS),
    "{": (_DEPTH,),
    "case": (_DEPTH,),
    "join": (_JOINS,),
    "straight_join": (_JOINS,),
    "select": (_SELECTS,),
}
_CLOSE = frozenset(")]}")
_PREFIXES = words("not - + ~ @ |/ ||/ case when exists distinct all select")
_SIGNS = (Kind.WORD, Kind.OPERATOR, Kind.PUNCTUATION)


def check_shape(tokens: tuple[Token, ...], where: Positions) -> None:
    """Refuse nesting, chains and numbers of parts that no readable statement has.

    Raises:
        Rejected: at the first token that goes too far.
    """
    counts = dict.fromkeys(_MOST, 0)
    for token in tokens:
        text = token.text if token.kind in _SIGNS else ""
        counts[_RUN] = counts[_RUN] + 1 if text in _PREFIXES else 0
        if text in _CLOSE or (text == "end" and counts[_DEPTH]):
            counts[_DEPTH] -= 1
            counts[_LISTS] -= text == "]"
        for counted in _COUNTED.get(text, ()):
            counts[counted] += 1
            if counts[counted] > _MOST[counted]:
                raise Rejected((_too_much(where, token, counted),))
        if counts[_RUN] > _MOST[_RUN]:
            raise Rejected((_too_much(where, token, _RUN),))
        if counts[_DEPTH] < 0:
            message = f"There is a {text!r} too many: remove it."
            raise Rejected((where.reason(ReasonCode.SYNTAX, message, token.start),))
    if counts[_DEPTH]:
        message = "A bracket or a CASE is never closed: close it."
        raise Rejected((where.reason(ReasonCode.SYNTAX, message, tokens[-1].start),))


def _too_much(where: Positions, token: Token, what: str) -> Reason:
    message = f"The statement has more than {_MOST[what]} {what}: name parts of it in WITH, or split it."
    return where.reason(ReasonCode.TOO_COMPLEX, message, token.start)
