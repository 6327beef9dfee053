"""The JSON form of Arrow's values: exact numbers, and what JSON or Python cannot hold, become text. Pure."""

import base64
import math
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pyarrow as pa

_INFINITIES: Final = {
    "timestamp[us]": {-9222425352054775809: "infinity", -9222425352054775808: "-infinity"},
    "date32[day]": {-2147472692: "infinity", -2147472691: "-infinity"},
}
"""What PostgreSQL's driver makes of its infinities: it moves the epoch, and they overflow."""


def column_values(column: "pa.ChunkedArray[Any]") -> list[Any]:
    """The JSON forms of a column's values; never raises, whatever moment a database can hold."""
    kind = column.type
    try:
        values: list[Any] = column.to_pylist()
    except (ValueError, OverflowError, pa.ArrowException):
        return [_scalar(value) for value in column]
    if pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_boolean(kind):
        return values
    return [plain(value) for value in values]


def _scalar(value: Any) -> Any:
    """One value of a column that holds some which Python cannot."""
    kind = value.type
    if not value.is_valid:
        return None
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return [_scalar(item) for item in value.values]
    if pa.types.is_struct(kind):
        return {name: _scalar(item) for name, item in value.items()}
    try:
        return plain(value.as_py())
    except (ValueError, OverflowError, pa.ArrowException):
        return _moment(value)


def _moment(value: Any) -> str:
    """A date, time or duration that Python has no object for."""
    kind = value.type
    if not pa.types.is_temporal(kind):
        return str(value.cast(pa.string()).as_py())
    zoned = pa.types.is_timestamp(kind) and kind.tz is not None
    plain_kind = pa.timestamp(value.type.unit) if zoned else kind
    raw = value.cast(pa.int32() if kind.bit_width == 32 else pa.int64()).as_py()  # noqa: PLR2004 - date32, time32
    if (endless := _INFINITIES.get(str(plain_kind), {}).get(raw)) is not None:
        return endless
    if pa.types.is_duration(kind):
        return f"{raw} {kind.unit}"
    # Arrow keeps moments in UTC whatever their zone is called, and would need its rules to write them in it.
    local = pa.scalar(raw, pa.int64()).cast(plain_kind) if zoned else value
    text = str(local.cast(pa.string()).as_py())
    return text.replace(" ", "T", 1) + ("+00:00" if zoned else "")


def plain(value: Any) -> Any:
    """The JSON form of a value; exact numbers and what JSON cannot hold become text."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    for kinds, form in _FORMS:
        if isinstance(value, kinds):
            return form(value)
    return str(value)


_FORMS: Final[tuple[tuple[tuple[type, ...], Callable[[Any], str]], ...]] = (
    ((Decimal, UUID), str),
    ((datetime, date, time), lambda value: str(value.isoformat())),
    ((timedelta,), str),
    ((bytes,), lambda value: base64.b64encode(value).decode()),
)


def type_name(kind: Any) -> str:
    """How a column's type is called to a caller: as databases call it, never as Arrow prints it."""
    if isinstance(kind, pa.OpaqueType):
        return str(kind.type_name)
    if isinstance(kind, pa.BaseExtensionType):
        return str(kind.extension_name).removeprefix("arrow.")
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_dictionary(kind):
        return type_name(kind.value_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return f"{type_name(kind.value_type)}[]"
    return next((name for fits, name in _NAMES if fits(kind)), str(kind))


_NAMES: Final[tuple[tuple[Callable[[Any], bool], str], ...]] = (
    (lambda kind: pa.types.is_timestamp(kind) and kind.tz is not None, "timestamptz"),
    (pa.types.is_timestamp, "timestamp"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time"),
    (pa.types.is_duration, "interval"),
    (pa.types.is_interval, "interval"),
    (pa.types.is_large_string, "string"),
    (pa.types.is_string_view, "string"),
    (pa.types.is_large_binary, "binary"),
    (pa.types.is_fixed_size_binary, "binary"),
    (pa.types.is_struct, "struct"),
    (pa.types.is_map, "map"),
)
