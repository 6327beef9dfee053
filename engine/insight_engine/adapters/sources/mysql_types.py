"""MySQL's values, from the binary rows of a result to Arrow columns. Pure.

What Arrow has no type for stays text under the name of MySQL's type. Dates that no calendar has, such as
0000-00-00, make their whole column text when the first rows show one.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from pymysql.constants import FIELD_TYPE, FLAG

from insight_engine.adapters.sources.mysql_geometry import geometry_text
from insight_engine.domain.source_errors import QueryFailed

Read = Callable[[bytes, int], tuple[Any, int]]
Decode = Callable[[Sequence[Any]], Any]

_BINARY_CHARSET: Final = 63
_INTEGERS: Final = {
    FIELD_TYPE.TINY: ("b", "B", pa.int8(), pa.uint8()),
    FIELD_TYPE.SHORT: ("h", "H", pa.int16(), pa.uint16()),
    FIELD_TYPE.YEAR: ("h", "H", pa.int16(), pa.uint16()),
    FIELD_TYPE.LONG: ("i", "I", pa.int32(), pa.uint32()),
    FIELD_TYPE.INT24: ("i", "I", pa.int32(), pa.uint32()),
    FIELD_TYPE.LONGLONG: ("q", "Q", pa.int64(), pa.uint64()),
}
_BLOBS: Final = {
    FIELD_TYPE.TINY_BLOB,
    FIELD_TYPE.MEDIUM_BLOB,
    FIELD_TYPE.LONG_BLOB,
    FIELD_TYPE.BLOB,
    FIELD_TYPE.STRING,
    FIELD_TYPE.VAR_STRING,
    FIELD_TYPE.VARCHAR,
}


class Column:
    """One column of a result: how to read its values out of a row, and how they become Arrow."""

    def __init__(self, field: Any) -> None:
        self.name: str = field.name
        self.read, self.decode = _column(field)


def read_row(packet: bytes, columns: Sequence[Column]) -> list[Any]:
    """The values of one row."""
    width = (len(columns) + 9) // 8
    position = 1 + width
    values: list[Any] = []
    for place, column in enumerate(columns, 2):  # the bitmap leaves its first two bits out
        if packet[1 + place // 8] >> place % 8 & 1:
            values.append(None)
        else:
            value, position = column.read(packet, position)
            values.append(value)
    return values


def _column(field: Any) -> tuple[Read, Decode]:
    kind = field.type_code
    if kind in _INTEGERS:
        signed, unsigned, arrow, arrow_unsigned = _INTEGERS[kind]
        if field.flags & FLAG.UNSIGNED:
            return _fixed(unsigned), _typed(arrow_unsigned)
        return _fixed(signed), _typed(arrow)
    if kind in _OTHERS:
        return _OTHERS[kind]
    if kind in {FIELD_TYPE.DATE, FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP}:
        name, arrow_type = _MOMENTS[kind]
        return _moment(with_time=kind != FIELD_TYPE.DATE), _Moments(field.name, name, arrow_type)
    if kind in _BLOBS and field.charsetnr == _BINARY_CHARSET:
        return _sized, _typed(pa.binary())
    return _sized_text, _typed(pa.string())


def _fixed(code: str) -> Read:
    unpack = struct.Struct("<" + code)
    size = unpack.size
    return lambda data, at: (unpack.unpack_from(data, at)[0], at + size)


def _sized(data: bytes, at: int) -> tuple[bytes, int]:
    size = data[at]
    start = at + 1
    if size > 250:  # noqa: PLR2004 - the protocol's own limit
        width = {0xFC: 2, 0xFD: 3}.get(size, 8)
        start += width
        size = int.from_bytes(data[at + 1 : start], "little")
    return data[start : start + size], start + size


def _sized_text(data: bytes, at: int) -> tuple[str, int]:
    raw, end = _sized(data, at)
    return raw.decode(), end


def _bits(data: bytes, at: int) -> tuple[int, int]:
    raw, end = _sized(data, at)
    return int.from_bytes(raw, "big"), end


def _geometry(data: bytes, at: int) -> tuple[str, int]:
    raw, end = _sized(data, at)
    return geometry_text(raw), end


def _moment(*, with_time: bool) -> Read:
    def read(data: bytes, at: int) -> tuple[str, int]:
        size = data[at]
        fields = data[at + 1 : at + 1 + size].ljust(11, b"\0")
        year, month, day, hour, minute, second, micros = struct.unpack("<HBBBBBI", fields)
        text = f"{year:04}-{month:02}-{day:02}"
        if with_time:
            text += f" {hour:02}:{minute:02}:{second:02}" + (f".{micros:06}" if micros else "")
        return text, at + 1 + size

    return read


def _time(data: bytes, at: int) -> tuple[str, int]:
    """A time of day or a span of up to 838 hours."""
    size = data[at]
    fields = data[at + 1 : at + 1 + size].ljust(12, b"\0")
    negative, days, hour, minute, second, micros = struct.unpack("<BIBBBI", fields)
    text = f"{'-' if negative else ''}{days * 24 + hour:02}:{minute:02}:{second:02}"
    return text + (f".{micros:06}" if micros else ""), at + 1 + size


def _typed(kind: pa.DataType) -> Decode:
    return lambda values: pa.array(values, kind)


def _named(name: str) -> Decode:
    kind = pa.opaque(pa.string(), name, "MySQL")
    return lambda values: pa.ExtensionArray.from_storage(kind, pa.array(values, pa.string()))


def _json(values: Sequence[Any]) -> Any:
    return pa.ExtensionArray.from_storage(pa.json_(pa.string()), pa.array(values, pa.string()))


class _Moments:
    """Dates or moments; the first rows decide whether the calendar can hold them."""

    def __init__(self, column: str, name: str, kind: pa.DataType) -> None:
        self._column, self._name, self._kind = column, name, kind
        self._as_text: bool | None = None

    def __call__(self, values: Sequence[Any]) -> Any:
        text = pa.array(values, pa.string())
        if not self._as_text:
            try:
                plain = pa.timestamp("us") if pa.types.is_timestamp(self._kind) else self._kind
                typed = pc.cast(text, plain)
                self._as_text = False
                return typed.cast(pa.int64()).cast(self._kind) if plain != self._kind else typed
            except pa.ArrowInvalid:
                if self._as_text is False:
                    raise QueryFailed(
                        f"The column {self._column} holds dates that no calendar has, such as 0000-00-00: "
                        "CAST it to CHAR."
                    ) from None
        self._as_text = True
        return _named(self._name)(values)


_MOMENTS: Final[dict[int, tuple[str, pa.DataType]]] = {
    FIELD_TYPE.DATE: ("date", pa.date32()),
    FIELD_TYPE.DATETIME: ("datetime", pa.timestamp("us")),
    FIELD_TYPE.TIMESTAMP: ("timestamp", pa.timestamp("us", "UTC")),
}
_OTHERS: Final[dict[int, tuple[Read, Decode]]] = {
    FIELD_TYPE.FLOAT: (_fixed("f"), _typed(pa.float32())),
    FIELD_TYPE.DOUBLE: (_fixed("d"), _typed(pa.float64())),
    FIELD_TYPE.DECIMAL: (_sized_text, _named("decimal")),
    FIELD_TYPE.NEWDECIMAL: (_sized_text, _named("decimal")),
    FIELD_TYPE.BIT: (_bits, _typed(pa.uint64())),
    FIELD_TYPE.TIME: (_time, _named("time")),
    FIELD_TYPE.JSON: (_sized_text, _json),
    FIELD_TYPE.GEOMETRY: (_geometry, _named("geometry")),
}
