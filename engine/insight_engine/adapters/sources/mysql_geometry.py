"""The well-known text of MySQL's geometries, from the bytes that it stores. Pure."""

import struct
from typing import Final

_NAMES: Final = (
    "GEOMETRY",
    "POINT",
    "LINESTRING",
    "POLYGON",
    "MULTIPOINT",
    "MULTILINESTRING",
    "MULTIPOLYGON",
    "GEOMETRYCOLLECTION",
)
_POINT, _LINE, _POLYGON = 1, 2, 3


def geometry_text(data: bytes) -> str:
    """Well-known text, after `SRID=…;` where the value has a reference system.

    Bytes of unknown form come as hexadecimal, marked as such.
    """
    try:
        (srid,) = struct.unpack_from("<I", data)
        text, end = _shape(data, 4)
    except (struct.error, IndexError):
        end, text, srid = -1, "", 0
    if end != len(data):
        return f"0x{data.hex()}"
    return f"SRID={srid};{text}" if srid else text


def _shape(data: bytes, at: int) -> tuple[str, int]:
    order = "<" if data[at] else ">"
    (kind,) = struct.unpack_from(order + "I", data, at + 1)
    body, end = _body(data, at + 5, order, kind)
    return f"{_NAMES[kind]}{body}", end


def _body(data: bytes, at: int, order: str, kind: int) -> tuple[str, int]:
    if kind == _POINT:
        text, end = _point(data, at, order)
        return f"({text})", end
    (count,) = struct.unpack_from(order + "I", data, at)
    at += 4
    parts: list[str] = []
    for _ in range(count):
        if kind == _LINE:
            text, at = _point(data, at, order)
        elif kind == _POLYGON:
            text, at = _body(data, at, order, _LINE)
        else:
            text, at = _shape(data, at)
            text = text if kind == len(_NAMES) - 1 else text[text.index("(") :]
        parts.append(text)
    return (f"({','.join(parts)})" if parts else " EMPTY"), at


def _point(data: bytes, at: int, order: str) -> tuple[str, int]:
    x, y = struct.unpack_from(order + "dd", data, at)
    return f"{x!r} {y!r}".replace(".0 ", " ").removesuffix(".0"), at + 16
