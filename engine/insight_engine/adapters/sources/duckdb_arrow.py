"""Makes standard Arrow columns of the types that DuckDB exports as its own. Exact, at any depth. Pure.

`hugeint` and `uhugeint` become decimal256(39,0); `bignum`, `bit` and `time with time zone` become text;
booleans become booleans. All else is standard already.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

_HUGE: Final = pa.decimal256(39, 0)
_ZONE_BITS: Final = 24
_MOST_OFFSET_S: Final = 16 * 3600 - 1
_SECOND: Final = 1_000_000
_BIGNUM_HEADER: Final = 3


def standard(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch as it was read from a stream, with standard columns; itself when it has no others."""
    if not any(_is_own(field.type) for field in batch.schema):
        return batch
    columns = [_array(column) for column in batch.columns]
    fields = [field.with_type(column.type) for field, column in zip(batch.schema, columns, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def _is_own(kind: Any) -> bool:
    if isinstance(kind, pa.OpaqueType | pa.Bool8Type):
        return True
    return any(_is_own(kind.field(n).type) for n in range(kind.num_fields))


def _array(array: Any) -> Any:
    kind = array.type
    if not _is_own(kind):
        return array
    if isinstance(kind, pa.Bool8Type):
        return array.storage.cast(pa.bool_())
    if isinstance(kind, pa.OpaqueType):
        return _DECODERS.get(kind.type_name, lambda storage: storage)(array.storage)
    return next(rebuild for fits, rebuild in _NESTED if fits(kind))(array)


def _list(array: Any) -> Any:
    values = _array(array.values)
    kind = pa.list_(array.type.value_field.with_type(values.type))
    return pa.ListArray.from_arrays(array.offsets, values, type=kind, mask=array.is_null())


def _fixed_list(array: Any) -> Any:
    values = _array(array.values)
    kind = pa.list_(array.type.value_field.with_type(values.type), array.type.list_size)
    return pa.FixedSizeListArray.from_arrays(values, type=kind, mask=array.is_null())


def _struct(array: Any) -> Any:
    children = [_array(array.field(n)) for n in range(array.type.num_fields)]
    fields = [array.type.field(n).with_type(child.type) for n, child in enumerate(children)]
    return pa.StructArray.from_arrays(children, fields=fields, mask=array.is_null())


def _map(array: Any) -> Any:
    keys, items = _array(array.keys), _array(array.items)
    return pa.MapArray.from_arrays(array.offsets, keys, items, mask=array.is_null())


def _union(array: Any) -> Any:
    kind = array.type
    children = [_array(array.field(n)) for n in range(kind.num_fields)]
    names = [kind.field(n).name for n in range(kind.num_fields)]
    return pa.UnionArray.from_sparse(array.type_codes, children, names, kind.type_codes)


_NESTED: Final[tuple[tuple[Callable[[Any], bool], Callable[[Any], Any]], ...]] = (
    (pa.types.is_list, _list),
    (pa.types.is_fixed_size_list, _fixed_list),
    (pa.types.is_struct, _struct),
    (pa.types.is_map, _map),
    (pa.types.is_union, _union),
)


def _hugeint(storage: Any) -> Any:
    # Its 16 bytes are a decimal's very layout; widened as its longest values have a digit too many.
    decimals = pa.Array.from_buffers(
        pa.decimal128(38, 0), len(storage), storage.buffers(), offset=storage.offset
    )
    return decimals.cast(_HUGE)


def _uhugeint(storage: Any) -> Any:
    values = [None if v is None else Decimal(int.from_bytes(v, "little")) for v in storage.to_pylist()]
    return pa.array(values, type=_HUGE)


def _texts(form: Callable[[bytes], str]) -> Callable[[Any], Any]:
    return lambda storage: pa.array(
        [None if value is None else form(value) for value in storage.to_pylist()], type=pa.string()
    )


def _time_with_zone(value: bytes) -> str:
    packed = int.from_bytes(value, "little")
    seconds, fraction = divmod(packed >> _ZONE_BITS, _SECOND)
    offset = _MOST_OFFSET_S - (packed & (1 << _ZONE_BITS) - 1)
    zone = _clock(abs(offset)).removesuffix(":00")
    return f"{_clock(seconds)}{f'.{fraction:06}' if fraction else ''}{'-' if offset < 0 else '+'}{zone}"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _bits(value: bytes) -> str:
    """The first byte says how many bits of the second are padding."""
    return "".join(f"{byte:08b}" for byte in value[1:])[value[0] :]


def _bignum(value: bytes) -> str:
    """A header of three bytes, then the magnitude; all of it inverted when the number is negative."""
    negative = not value[0] & 0x80
    magnitude = bytes(255 - byte for byte in value) if negative else value
    number = int.from_bytes(magnitude[_BIGNUM_HEADER:], "big")
    return format(Decimal(-number if negative else number), "f")


_DECODERS: Final[dict[str, Callable[[Any], Any]]] = {
    "hugeint": _hugeint,
    "uhugeint": _uhugeint,
    "time_tz": _texts(_time_with_zone),
    "bit": _texts(_bits),
    "bignum": _texts(_bignum),
}
