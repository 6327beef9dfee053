"""Bounds the parser's work before it starts. Pure, one pass.

The parser tries some constructs in two ways, one inside the other, so n levels of them cost it 2ⁿ: brackets
after the name of a type, lists, joins whose condition is yet to come. Chains of calls and subscripts cost it
their length squared. Each token is therefore counted as often as it may be read; the sum is bounded.
"""

from functools import lru_cache

from sqlglot.dialects.dialect import Dialect as ParserDialect

from insight_engine.sqlguard.lexer import Kind, Token
from insight_engine.sqlguard.policy import Policy
from insight_engine.sqlguard.reasons import ReasonCode, Rejected
from insight_engine.sqlguard.text import Positions, fold

MOST = 12_000
"""Readings of tokens that one verdict may cost; measured at 5 to 10 µs each."""
_LONGEST_CHAIN = 16
_ARROW = 10
"""What a JSON path costs the parser, in tokens."""
_ALSO_TYPES = frozenset({"row", "struct", "object", "union", "lateral", "null", "if", "list", "map"})
_SLOWEST = frozenset({"binary", "struct", "object", "union"})
_CLOSING, _UNCONDITIONAL = frozenset(")]}"), frozenset({"cross", "natural"})
_NOTHING = Token(Kind.PUNCTUATION, "", 0, 0)


def check_effort(tokens: tuple[Token, ...], policy: Policy, where: Positions) -> None:
    """Refuse a statement that would keep the parser busy out of proportion to its length.

    Raises:
        Rejected: at the token where it goes too far.
    """
    types, counter = _type_words(policy), _Counter()
    before = _NOTHING
    for token in tokens:
        counter.read(token, before, types)
        if counter.total > MOST or counter.chain > _LONGEST_CHAIN:
            message = (
                "The statement nests too much here for its length: name parts of it in WITH, or split it."
            )
            raise Rejected((where.reason(ReasonCode.TOO_COMPLEX, message, token.start),))
        before = token


class _Counter:
    """How often the tokens so far may be read."""

    def __init__(self) -> None:
        self.total = 0
        self.chain = 0
        self._factors = [1]

    def read(self, token: Token, before: Token, types: frozenset[str]) -> None:
        text = "" if token.kind in {Kind.STRING, Kind.QUOTED} else token.text
        if text in _CLOSING:
            del self._factors[max(len(self._factors) - 1, 1) :]
        elif text in {"(", "["}:
            self._factors.append(self._factors[-1] * _factor(text, before, types))
        elif text == "{":
            self._factors.append(self._factors[-1])
        elif text in {"join", "straight_join"} and before.text not in _UNCONDITIONAL:
            self._factors[-1] *= 2
        elif self._ends_join(text, before):
            self._factors[-1] = max(self._factors[-1] // 2, 1)
        if text in {".", "["} and before.text in _CLOSING:
            self.chain += 1
        elif text == "," or token.kind is Kind.OPERATOR:
            self.chain = 0
        self.total += self._factors[-1] * (_ARROW if text in {"->", "->>"} else 1)

    def _ends_join(self, text: str, before: Token) -> bool:
        outer = self._factors[-2] if len(self._factors) > 1 else 1
        pending = self._factors[-1] > outer
        return pending and (
            (text == "on" and before.text != "distinct") or (text == "using" and before.text != ")")
        )


def _factor(bracket: str, before: Token, types: frozenset[str]) -> int:
    is_type = before.kind is Kind.WORD and before.text in types
    if bracket == "[":
        return 4 if is_type else 2
    if not is_type:
        return 1
    return 3 if before.text in _SLOWEST else 2


@lru_cache
def _type_words(policy: Policy) -> frozenset[str]:
    dialect = ParserDialect.get_or_raise(policy.dialect.value)
    keywords = dialect.tokenizer_class.KEYWORDS
    types = dialect.parser_class.TYPE_TOKENS
    return _ALSO_TYPES | {
        fold(word.split()[0]) for word, token in keywords.items() if token in types and word
    }
