"""Holds placeholders against the values given for them. Pure; the driver binds values, nothing splices them.

A statement uses one style of its dialect: bare (`?`), numbered (`$1`, `?1`) or named (`:name`, `$name`). It
is never rewritten, so a style that the driver does not know is refused.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from types import MappingProxyType, NoneType

from sqlglot import exp

from insight_engine.sqlguard.lexer import Kind, Token
from insight_engine.sqlguard.policy import Policy
from insight_engine.sqlguard.reasons import Reason, ReasonCode, Rejected
from insight_engine.sqlguard.sealed import Bound, Parameters, Scalar
from insight_engine.sqlguard.text import Positions

MAX_VALUES = 1_000
MAX_CHARACTERS = 1024 * 1024
_SCALARS = (str, int, float, bool, bytes, Decimal, date, datetime, time, NoneType)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_LARGEST = 2**63


def bound(values: Parameters | None) -> Bound:
    """A private copy of the values, each found to be one that every driver can bind.

    Raises:
        Rejected: where a value is none that can be bound, or there are too many.
    """
    if values is None:
        return ()
    if isinstance(values, Mapping):
        named = {_name(name): _scalar(value, f"{name!r}") for name, value in values.items()}
        listed, copy = list(named.values()), MappingProxyType(named)
    elif isinstance(values, Sequence) and not isinstance(values, str | bytes | bytearray):
        listed = [_scalar(value, str(place)) for place, value in enumerate(values, 1)]
        copy = None
    else:
        raise _wrong("Parameters are a list (for ? and $1) or an object (for :name and $name).")
    if len(listed) > MAX_VALUES:
        raise _wrong(f"More than {MAX_VALUES} parameters: put the values in a table.")
    if sum(len(value) for value in listed if isinstance(value, str | bytes)) > MAX_CHARACTERS:
        raise _wrong("The parameters hold more than 1 MiB of text: put it in a table.")
    return tuple(listed) if copy is None else copy


def check_parameters(
    tokens: tuple[Token, ...], tree: exp.Expr, values: Bound, policy: Policy, where: Positions
) -> Iterator[Reason]:
    """Yield a reason when the statement asks for other values than are given."""
    placeholders = [token for token in tokens if token.kind is Kind.PARAMETER]
    offset = placeholders[0].start if placeholders else tokens[0].start

    def mismatch(message: str) -> Reason:
        return where.reason(ReasonCode.PARAMETERS_MISMATCH, message, offset)

    # To the parser, PostgreSQL's sign for absolute values begins a parameter.
    signs = sum(token.kind is Kind.OPERATOR and token.text == "@" for token in tokens)
    if sum(1 for _ in tree.find_all(exp.Placeholder, exp.Parameter)) > len(placeholders) + signs:
        yield mismatch(f"On this data source placeholders are written {policy.placeholders}: write them so.")
        return
    marks = {token.text[1:] for token in placeholders}
    styles = {"bare" if not mark else "numbered" if mark.isdigit() else "named" for mark in marks}
    if len(styles) > 1:
        yield mismatch("Bare, numbered and named placeholders are mixed: use one kind.")
        return
    style = next(iter(styles), "named" if isinstance(values, Mapping) else "bare")
    if (style == "named") is not isinstance(values, Mapping):
        kind = "an object with the names" if style == "named" else "a list"
        yield mismatch(f"The statement's placeholders are {style}: give their values as {kind}.")
    elif isinstance(values, Mapping):
        yield from map(mismatch, _names_differ(marks, set(values)))
    elif style == "bare" and len(placeholders) != len(values):
        yield mismatch(
            f"The statement has {len(placeholders)} placeholders, and {len(values)} values are given."
        )
    elif style == "numbered" and marks != {str(n) for n in range(1, len(values) + 1)}:
        yield mismatch(f"Number the placeholders from 1 to {len(values)}, one number for each value given.")


def _names_differ(wanted: set[str], given: set[str]) -> Iterator[str]:
    if missing := sorted(wanted - given):
        yield f"No value is given for the placeholder {missing[0]}: give one."
    if unused := sorted(given - wanted):
        yield f"The statement has no placeholder {unused[0]}: leave out its value."


def _name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _wrong("A parameter's name is a letter or _, then letters, digits and _, 63 at most.")
    return name


def _scalar(value: object, which: str) -> Scalar:
    if not isinstance(value, _SCALARS):
        raise _wrong(f"Parameter {which} is no single value: give text, a number, true, false or null.")
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        raise _wrong(f"Parameter {which} has more than 64 bits: give it as text.")
    if isinstance(value, str) and ("\0" in value or not _is_unicode(value)):
        raise _wrong(f"Parameter {which} holds a character that databases do not store: remove it.")
    return value


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _wrong(message: str) -> Rejected:
    return Rejected((Reason(ReasonCode.PARAMETERS_MISMATCH, message),))
