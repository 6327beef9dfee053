"""A strict reader of tokens, independent of the parser's. Pure; linear in the text.

It follows the databases' own lexers where they are plain and refuses where they differ among themselves
or from the parser: nested comments, dollar quotes, `U&` escapes, literals that continue on the next line,
numbers that run into words. `agreement` then holds the parser's tokens against these.
"""

import re
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

from insight_engine.sqlguard.policy import Policy
from insight_engine.sqlguard.reasons import ReasonCode, Rejected
from insight_engine.sqlguard.text import Positions, check_outside_literals, fold, is_plain_word

MAX_TOKENS = 4_000
MAX_OPERATOR = 8


class Kind(Enum):
    """What a token is, as far as the guard needs to know."""

    WORD = auto()
    QUOTED = auto()
    STRING = auto()
    NUMBER = auto()
    PARAMETER = auto()
    OPERATOR = auto()
    PUNCTUATION = auto()


class Token(NamedTuple):
    """One token; `start` and `end` are offsets, `end` exclusive; `text` is folded for words."""

    kind: Kind
    text: str
    start: int
    end: int


# Each pattern matches in one way only, so it needs no possessive quantifier: Python 3.11.2 gets those wrong.
_PATTERN = r"""
  (?P<blank>[ \t\n]+|\r\n)
| (?P<line>LINECOMMENT)
| (?P<hint>/\*(?:[!+]|[mM]!))
| (?P<block>/\*[^*/]*(?:(?:\*(?!/)|/(?!\*))[^*/]*)*\*/)
| (?P<badblock>/\*)
| (?P<badstring>[uU]&['"]|[nNbB]'|\$[^\d\s$(),.;'"]*\$)
| (?P<estring>[eE]'[^'\\]*(?:(?:\\.|'')[^'\\]*)*'(?!'))
| (?P<blob>[xX]'(?:[0-9A-Fa-f]{2})*')
| (?P<badprefix>(?!(?i:date|time)')[^\W\d]\w*(?<=[eExX])')
| (?P<string>STRINGS)
| (?P<quoted>QUOTED)
| (?P<number>(?:[0-9]+(?:\.(?!\.)[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
| (?P<word>[^\W\d]\w*)
| (?P<parameter>PARAMETERS)
| (?P<cast>::|:=)
| (?P<operator>OPERATORS)
| (?P<punctuation>[()\[\],.;:{}])
"""
_KINDS = {
    "estring": Kind.STRING,
    "blob": Kind.STRING,
    "string": Kind.STRING,
    "quoted": Kind.QUOTED,
    "number": Kind.NUMBER,
    "word": Kind.WORD,
    "parameter": Kind.PARAMETER,
    "cast": Kind.OPERATOR,
    "operator": Kind.OPERATOR,
    "punctuation": Kind.PUNCTUATION,
}
_VALUES = (Kind.WORD, Kind.NUMBER, Kind.STRING, Kind.QUOTED, Kind.PARAMETER)
# DATE'2026-01-01': every reader takes the word for a type, none for a prefix.
_TYPED = frozenset({"date", "time", "timestamp", "timestamptz", "interval"})
_REFUSED = {
    "hint": (
        ReasonCode.FORBIDDEN_COMMENT,
        "Comments that start with /*!, /*M! or /*+ are instructions: remove it.",
    ),
    "badblock": (ReasonCode.FORBIDDEN_COMMENT, "A /* comment is nested or never closed: use -- comments."),
    "badstring": (
        ReasonCode.AMBIGUOUS_TEXT,
        "Write text in plain single quotes: dollar quotes, U&, N and B literals are not read.",
    ),
    "badprefix": (ReasonCode.AMBIGUOUS_TEXT, "A literal needs a blank before it, or its prefix is not read."),
}


@lru_cache
def _compiled(policy: Policy) -> re.Pattern[str]:
    if policy.operator_characters:
        operators = rf"(?:(?!--|/\*)[{policy.operator_characters}])+"
    else:
        operators = "|".join(re.escape(o) for o in sorted(policy.operators, key=len, reverse=True))
    pattern = (
        _PATTERN.replace("PARAMETERS", policy.parameter_pattern)
        .replace("OPERATORS", operators)
        .replace("QUOTED", policy.quoted_pattern)
        .replace("LINECOMMENT", policy.line_comment_pattern)
        .replace("STRINGS", policy.string_pattern)
    )
    return re.compile(pattern, re.VERBOSE | re.DOTALL)


def read(text: str, policy: Policy) -> tuple[Token, ...]:
    """Cut `text` into tokens, without blanks and comments.

    Raises:
        Rejected: where the text could be read in two ways, or has too many tokens.
    """
    pattern, where = _compiled(policy), Positions(text)
    tokens: list[Token] = []
    offset = 0
    while offset < len(text):
        match = pattern.match(text, offset)
        if match is None or match.lastgroup is None:
            raise Rejected((where.reason(*_unread(text[offset], policy), offset),))
        group, end = match.lastgroup, match.end()
        if group == "estring" and not policy.escape_strings:
            group = "badprefix"
        if group in _REFUSED:
            raise Rejected((where.reason(*_REFUSED[group], offset),))
        if group not in {"string", "estring"}:
            check_outside_literals(text, offset, end)
        if group in _KINDS:
            token = _token(text, group, offset, end, policy)
            _check(token, tokens, text, where)
            tokens.append(token)
            end = token.end
            if len(tokens) > MAX_TOKENS:
                message = f"The statement has more than {MAX_TOKENS} words and signs: split it."
                raise Rejected((where.reason(ReasonCode.TOO_COMPLEX, message, offset),))
        offset = end
    return tuple(tokens)


def _token(text: str, group: str, start: int, end: int, policy: Policy) -> Token:
    raw = text[start:end]
    if group == "operator" and policy.operator_characters:
        raw = _trimmed(raw)
    if group == "quoted":
        return Token(Kind.QUOTED, raw[1:-1].replace(raw[-1] * 2, raw[-1]), start, end)
    return Token(_KINDS[group], fold(raw) if group == "word" else raw, start, start + len(raw))


def _trimmed(run: str) -> str:
    """PostgreSQL's rule: an operator ends in + or - only if it also holds one of ~ ! @ # % ^ & | ` ?"""
    if not any(c in "~!@#%^&|`?" for c in run):
        while len(run) > 1 and run[-1] in "+-":
            run = run[:-1]
    return run


def _check(token: Token, before: list[Token], text: str, where: Positions) -> None:
    previous = before[-1] if before else None
    touches = previous is not None and previous.end == token.start
    if token.kind is Kind.WORD and not is_plain_word(token.text):
        message = "An unquoted name holds letters that can be read in two ways: put it in double quotes."
        raise Rejected((where.reason(ReasonCode.FORBIDDEN_CHARACTER, message, token.start),))
    if token.kind is Kind.OPERATOR and len(token.text) > MAX_OPERATOR:
        message = f"{token.text[:MAX_OPERATOR]}… is no operator: put blanks between the signs."
        raise Rejected((where.reason(ReasonCode.OPERATOR_NOT_ALLOWED, message, token.start),))
    if previous is None:
        return
    if token.kind is Kind.STRING and previous.kind is Kind.STRING:
        message = "Two texts follow each other: write them as one."
        raise Rejected((where.reason(ReasonCode.AMBIGUOUS_TEXT, message, token.start),))
    typed = token.kind is Kind.STRING and previous is not None and previous.text in _TYPED
    if touches and token.kind in _VALUES and previous.kind in _VALUES and not typed:
        message = f"A blank is missing before {text[token.start : token.start + 20]!r}."
        if previous.kind is Kind.NUMBER:
            message = f"{message[:-1]}; a number is written in decimal digits, without 0x or _."
        raise Rejected((where.reason(ReasonCode.AMBIGUOUS_TEXT, message, token.start),))


def _unread(character: str, policy: Policy) -> tuple[ReasonCode, str]:
    if character in "'\"":
        message = f"A quote {character} is never closed, or quotes nothing: close it."
        if policy.name_quotes == "backticks":
            message += " Inside a text write '' for a quote: a backslash before one is read in two ways."
        return ReasonCode.AMBIGUOUS_TEXT, message
    message = f"The character {character!r} is not read here: remove it or quote it."
    if character in "$?:@%":
        message = (
            f"{message[:-1]}; placeholders are written {policy.placeholders}, and there are no variables."
        )
    return ReasonCode.FORBIDDEN_CHARACTER, message
