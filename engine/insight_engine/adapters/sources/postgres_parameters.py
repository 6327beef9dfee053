"""Values for a statement's `$1`, `$2` … in PostgreSQL's text form; they travel apart from it. Pure."""

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Final

from insight_engine.adapters.sources.postgres_session import Bound
from insight_engine.domain.source_errors import QueryFailed
from insight_engine.sqlguard.sealed import Parameters, Scalar

_ANY: Final = 0
"""The server decides: text may stand for a value of any type."""

_BOOL, _BYTEA, _INT8, _INT4, _FLOAT8, _NUMERIC = 16, 17, 20, 23, 701, 1700
_DATE, _TIME, _TIMESTAMP, _TIMESTAMPTZ = 1082, 1083, 1114, 1184
_INT4_BITS: Final = 31
_INT8_BITS: Final = 63


def bound(parameters: Parameters) -> Bound:
    """The values as text, and the types they have.

    Raises:
        QueryFailed: a text that PostgreSQL cannot hold, or values by name.
    """
    if isinstance(parameters, Mapping):
        raise QueryFailed("PostgreSQL binds values by position: use $1, $2 … and a list of parameters.")
    pairs = [(None, _ANY) if value is None else (_text(value), _type(value)) for value in parameters]
    return [text for text, _ in pairs], [kind for _, kind in pairs]


def _type(value: Scalar) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        bits = (value if value >= 0 else ~value).bit_length()
        return _INT4 if bits <= _INT4_BITS else _INT8 if bits <= _INT8_BITS else _NUMERIC
    if isinstance(value, datetime):
        return _TIMESTAMP if value.tzinfo is None else _TIMESTAMPTZ
    kinds = ((bool, _BOOL), (bytes, _BYTEA), (float, _FLOAT8), (Decimal, _NUMERIC), (date, _DATE))
    if isinstance(value, time) and value.tzinfo is None:
        return _TIME
    return next((oid for kind, oid in kinds if isinstance(value, kind)), _ANY)


def _text(value: Scalar) -> bytes:
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, bytes):
        return b"\\x" + value.hex().encode()
    if isinstance(value, date | time):
        return value.isoformat().encode()
    text = str(value)
    if "\0" in text:
        raise QueryFailed("A parameter holds the character NUL, which PostgreSQL's text cannot hold.")
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise QueryFailed("A parameter holds half a surrogate pair, which is no text.") from None
