"""Judges the arguments of calls by their tokens. Pure."""

import re
from collections.abc import Iterator

from insight_engine.sqlguard.lexer import Kind, Token
from insight_engine.sqlguard.policy import Policy
from insight_engine.sqlguard.reasons import Reason, ReasonCode
from insight_engine.sqlguard.text import Positions, fold

_WIDE = re.compile(r"%[^%A-Za-z]*(?:[0-9]{5}|\*)|\{[^}]*(?:[0-9]{5}|\{)")
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")


def check_arguments(
    tokens: tuple[Token, ...], index: int, policy: Policy, where: Positions
) -> Iterator[Reason]:
    """Refuse a call whose arguments could make it fill the memory, or make another function of it."""
    token = tokens[index]
    if token.text in policy.template_functions and not _is_plain_format(tokens[index + 2 : index + 4]):
        yield _too_wide(token, where)
    if token.text in policy.bounded:
        yield from _size(tokens, index, policy, where)
    longest = policy.padded_types.get(token.text)
    length = argument(tokens, index + 1, 0) if longest is not None else []
    if len(length) == 1 and length[0].kind is Kind.NUMBER and float(length[0].text) > (longest or 0):
        message = f"{token.text} may be {longest} long at most: give it a smaller length."
        yield where.reason(ReasonCode.TOO_COMPLEX, message, token.start)
    if token.text in policy.named_functions:
        named = argument(tokens, index + 1, 1)
        if len(named) != 1 or fold(named[0].text) not in {f"'{name}'" for name in policy.functions}:
            message = (
                f"{token.text} is not allowed for this: its second argument must name a function, as a text."
            )
            yield where.reason(ReasonCode.FUNCTION_NOT_ALLOWED, message, token.start)
    most = policy.most_arguments.get(token.text)
    if most is not None and argument(tokens, index + 1, most):
        message = f"{token.text} may have {most} arguments at most here: leave out the others."
        yield where.reason(ReasonCode.FUNCTION_NOT_ALLOWED, message, token.start)


def _size(tokens: tuple[Token, ...], index: int, policy: Policy, where: Positions) -> Iterator[Reason]:
    """Refuse a call that could fill the memory: its length must be one small number in the text."""
    name = tokens[index].text
    place, most = policy.bounded[name]
    size = argument(tokens, index + 1, place)
    if (
        len(size) == 1
        and size[0].kind is Kind.NUMBER
        and size[0].text.isdecimal()
        and float(size[0].text) <= most
    ):
        return
    message = f"{name} needs a plain number of at most {most} for its length."
    yield where.reason(ReasonCode.TOO_COMPLEX, message, tokens[index].start)


def argument(tokens: tuple[Token, ...], opening: int, place: int) -> list[Token]:
    """The tokens of one argument of the call whose bracket opens at `opening`."""
    depth, current, found = 0, 0, []
    for token in tokens[opening:]:
        sign = token.text if token.kind is Kind.PUNCTUATION else ""
        depth += (sign in _OPENING) - (sign in _CLOSING)
        if depth == 0:
            break
        if sign == "," and depth == 1:
            current += 1
        elif current == place and (depth > 1 or sign not in _OPENING):
            found.append(token)
    return found


def _is_plain_format(first: tuple[Token, ...]) -> bool:
    """Whether the first argument is one whole literal that asks for no great width.

    E'…' and x'…' would say so in another spelling than the one that is looked at.
    """
    literal = first[0].kind is Kind.STRING and first[-1].text in {",", ")"}
    return literal and first[0].text[0] == "'" and not _WIDE.search(first[0].text)


def _too_wide(token: Token, where: Positions) -> Reason:
    message = f"The first argument of {token.text} must be one plain literal, widths up to 9999: write it so."
    return where.reason(ReasonCode.TOO_COMPLEX, message, token.start)
