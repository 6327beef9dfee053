"""The JSON form of Arrow's values: exact numbers, and what JSON or Python cannot hold, become text. Pure."""

import base64
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

MAX_SAFE_INTEGER: Final = 2**53 - 1
"""Whole numbers beyond it become text: most readers of JSON would round them without a word."""
_ENDS_64: Final = {2**63 - 1: "infinity", -(2**63) + 1: "-infinity"}
_INFINITIES: Final = {
    **{f"timestamp[{unit}]": _ENDS_64 for unit in ("s", "ms", "us", "ns")},
    "date32[day]": {2**31 - 1: "infinity", -(2**31) + 1: "-infinity"},
}
"""What sources make of infinities: the ends of the type."""


def column_values(column: "pa.ChunkedArray[Any]") -> list[Any]:
    """The JSON forms of a column's values; never raises, whatever moment a database can hold."""
    kind = column.type
    try:
        if (texts := _moments(column)) is not None:
            return texts
        values: list[Any] = column.to_pylist()
    except (ValueError, OverflowError, pa.ArrowException):
        return [_scalar(value) for value in column]
    if pa.types.is_string(kind) or pa.types.is_boolean(kind) or _plain_numbers(column):
        return values
    return [plain(value) for value in values]


def _plain_numbers(column: "pa.ChunkedArray[Any]") -> bool:
    """Whether every value is a number that JSON and its readers hold exactly."""
    kind = column.type
    if pa.types.is_integer(kind):
        found: Any = pc.min_max(column).as_py()
        least, most = found["min"], found["max"]
        return least is None or (least >= -MAX_SAFE_INTEGER and most <= MAX_SAFE_INTEGER)
    if pa.types.is_float32(kind) or pa.types.is_float64(kind):
        return bool(pc.all(pc.is_finite(column)).as_py() is not False)
    return False


def _moments(column: "pa.ChunkedArray[Any]") -> list[Any] | None:
    """Dates and timestamps written all at once, as one by one costs microseconds each; None for others."""
    kind = column.type
    if not (pa.types.is_timestamp(kind) or pa.types.is_date32(kind)):
        return None
    least, most = (value.as_py() for value in pc.min_max(column).values())
    if least is None:
        return [None] * len(column)
    del most  # reading both is the check: Python's objects end where years of four digits do
    if pa.types.is_date32(kind):
        return list(column.cast(pa.string()).to_pylist())
    # Arrow keeps moments in UTC whatever their zone is called.
    texts = (
        column.cast(pa.timestamp(kind.unit, kind.tz and "UTC"))
        .cast(pa.timestamp(kind.unit))
        .cast(pa.string())
    )
    texts = pc.replace_substring(texts, " ", "T", max_replacements=1)
    texts = pc.replace_substring_regex(texts, r"\.0+$", "")
    if kind.tz is not None:
        return [text and f"{text}+00:00" for text in texts.to_pylist()]
    return list(texts.to_pylist())


_WRAPPED: Final = (pa.UnionScalar, pa.DictionaryScalar, pa.RunEndEncodedScalar, pa.ExtensionScalar)


def sliced(table: pa.Table, start: int, rows: int | None = None) -> pa.Table:
    """Up to `rows` rows from `start`; counted here, as Arrow believes any number without columns."""
    start = min(start, table.num_rows)
    left = table.num_rows - start
    return table.slice(start, left if rows is None else min(rows, left))


def _scalar(value: Any) -> Any:
    """One value of a column that holds some which Python cannot."""
    kind = value.type
    if not value.is_valid:
        return None
    if pa.types.is_map(kind):
        return [[_scalar(part) for part in entry.values()] for entry in value.values]
    if isinstance(value, pa.ListScalar):
        items: Any = value.values
        return [_scalar(item) for item in items]
    if pa.types.is_struct(kind):
        return {name: _scalar(item) for name, item in value.items()}
    try:
        return plain(value.as_py())
    except (ValueError, OverflowError, pa.ArrowException):
        return _scalar(value.value) if isinstance(value, _WRAPPED) else _moment(value)


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
    if value is None or isinstance(value, str | bool):
        return value
    for kinds, form in _FORMS:
        if isinstance(value, kinds):
            return form(value)
    return str(value)


def _endless(value: float) -> str:
    """As PostgreSQL, JavaScript and Python all spell it."""
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _datetime(value: datetime) -> str:
    return (value if value.tzinfo is None else value.astimezone(UTC)).isoformat()


def _timedelta(value: timedelta) -> str:
    return _interval(0, value.days, (value.seconds * 1_000_000 + value.microseconds) * 1000)


def _interval(months: int, days: int, nanoseconds: int) -> str:
    """An ISO 8601 duration; each part has its own sign, as months and days have no fixed length."""
    date_part = f"{months}M" * bool(months) + f"{days}D" * bool(days)
    seconds = f"{Decimal(nanoseconds).scaleb(-9).normalize():f}"
    time_part = f"T{seconds}S" if nanoseconds or not date_part else ""
    return f"P{date_part}{time_part}"


_FORMS: Final[tuple[tuple[tuple[type, ...], Callable[[Any], Any]], ...]] = (
    ((int,), lambda value: value if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER else str(value)),
    ((float,), lambda value: value if math.isfinite(value) else _endless(value)),
    ((pa.MonthDayNano,), lambda value: _interval(value.months, value.days, value.nanoseconds)),
    ((list, tuple), lambda value: [plain(item) for item in value]),
    ((dict,), lambda value: {str(key): plain(item) for key, item in value.items()}),
    ((Decimal, UUID), str),
    ((datetime,), _datetime),
    ((date, time), lambda value: str(value.isoformat())),
    ((timedelta,), _timedelta),
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
    (pa.types.is_union, "union"),
)
