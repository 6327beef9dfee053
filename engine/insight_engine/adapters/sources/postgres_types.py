"""Which Arrow type each column of a PostgreSQL result gets, by the OID of its type."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
import pyarrow as pa

from insight_engine.adapters.sources import postgres_values as values
from insight_engine.adapters.sources.postgres_arrays import ArrayColumn
from insight_engine.adapters.sources.postgres_values import Decode

_NUMERIC: Final = values.opaque("numeric")
_DECODERS: Final[Mapping[str, Decode]] = {
    "bool": values.boolean,
    "bytea": values.binary,
    "date": values.date,
    "float4": values.number(pa.float32()),
    "float8": values.number(pa.float64()),
    "int2": values.number(pa.int16()),
    "int4": values.number(pa.int32()),
    "int8": values.number(pa.int64()),
    "json": values.json,
    "jsonb": values.json,
    "numeric": _NUMERIC,
    "oid": values.number(pa.uint32()),
    "timestamp": values.timestamp(None),
    "timestamptz": values.timestamp("UTC"),
    "uuid": values.uuid,
    **dict.fromkeys(("bpchar", "char", "citext", "name", "text", "unknown", "varchar"), values.text),
}
_FIRST_USER_OID: Final = 16_384
TYPES: Final = """
    SELECT t.oid, t.typname, t.typtype, coalesce(e.typname, ''), coalesce(e.typtype, ''), e.typdelim
    FROM pg_catalog.pg_type t
    LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
    WHERE t.oid = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class ServerType:
    """A type of the server: its name and, when it is an array, its element's.

    Attributes:
        enum: whether its values, or its elements, are the labels of an enumeration.
        element: name of the element's type; empty when it is no array that can be read as a list.
    """

    name: str
    enum: bool = False
    element: str = ""

    def decoder(self, column: str) -> Decode:
        """How the values of a column of this type become Arrow."""
        if self.element:
            inner = values.text if self.enum else _DECODERS.get(self.element)
            inner = inner or values.opaque(self.element)
            return ArrayColumn(column, f"{self.element}[]", inner)
        return values.text if self.enum else _DECODERS.get(self.name) or values.opaque(self.name)


def _builtin() -> dict[int, ServerType]:
    known: dict[int, ServerType] = {705: ServerType("unknown"), 2278: ServerType("void")}
    for info in psycopg.postgres.types:
        known[info.oid] = ServerType(info.name)
        if info.array_oid and info.delimiter == ",":
            known[info.array_oid] = ServerType(f"{info.name}[]", element=info.name)
        elif info.array_oid:
            known[info.array_oid] = ServerType(f"{info.name}[]")
    known[18] = ServerType("char")
    return known


class Types:
    """The types met so far on one server; the ones made by its users are looked up when they come."""

    def __init__(self, look_up: Callable[[Sequence[int]], Sequence[tuple[Any, ...]]]) -> None:
        self._known = _builtin()
        self._look_up = look_up

    def of(self, oids: Sequence[int]) -> list[ServerType]:
        """The types of these OIDs, in order."""
        unknown = sorted({oid for oid in oids if oid not in self._known})
        if unknown:
            self._known.update({row[0]: _server_type(row) for row in self._look_up(unknown)})
        return [self._known.get(oid) or ServerType("unknown" if oid == 0 else f"type {oid}") for oid in oids]


def _server_type(row: tuple[Any, ...]) -> ServerType:
    _, name, kind, element, element_kind, delimiter = row
    if element and delimiter == ",":
        return ServerType(name, enum=element_kind == "e", element=element)
    return ServerType(f"{element}[]" if element else name, enum=kind == "e")
