"""Holds the parser's tokens against ours: both must cut the text at the same places. Pure.

Guards have been passed by text that the parser took for a literal or a comment and the database for code.
Two independent readers that must agree on every boundary leave no room for that.
"""

from sqlglot.tokenizer_core import Token as ParserToken
from sqlglot.tokenizer_core import TokenType

from insight_engine.sqlguard.lexer import Kind, Token
from insight_engine.sqlguard.reasons import Reason, ReasonCode, Rejected
from insight_engine.sqlguard.text import Positions

_LITERALS = frozenset({
    TokenType.STRING,
    TokenType.BYTE_STRING,
    TokenType.HEX_STRING,
})  # fmt: skip
_SPLIT = (Kind.PARAMETER, Kind.OPERATOR, Kind.NUMBER)


def check_agreement(tokens: tuple[Token, ...], parsed: list[ParserToken], where: Positions) -> None:
    """Refuse a text that the parser's tokenizer cuts differently.

    Raises:
        Rejected: at the first boundary they disagree on.
    """
    mine = iter(tokens)
    current = next(mine, None)
    for theirs in parsed:
        if theirs.token_type is TokenType.HINT or current is None or theirs.start < current.start:
            raise Rejected((_disagree(where, theirs.start),))
        end = theirs.end + 1
        if not _same_kind(current, theirs):
            raise Rejected((_disagree(where, current.start),))
        if end < current.end and current.kind in _SPLIT:
            continue
        while current is not None and current.end < end and current.kind is Kind.WORD:
            current = next(mine, None)
        if current is None or current.end != end:
            raise Rejected((_disagree(where, theirs.start),))
        current = next(mine, None)
    if current is not None:
        raise Rejected((_disagree(where, current.start),))


def _same_kind(mine: Token, theirs: ParserToken) -> bool:
    literal = theirs.token_type in _LITERALS
    quoted = theirs.token_type is TokenType.IDENTIFIER
    return literal == (mine.kind is Kind.STRING) and quoted == (mine.kind is Kind.QUOTED)


def _disagree(where: Positions, offset: int) -> Reason:
    message = "This place can be read in two ways: write it more plainly, with blanks between the parts."
    return where.reason(ReasonCode.AMBIGUOUS_TEXT, message, offset)
