"""Gives PostgreSQL's values Arrow types, from the text form that the server itself prints. Pure.

Text because it is exact for every type there is, also those made by users: what has an Arrow type of its own
is parsed in bulk, everything else stays the server's text and carries its type's name. Nothing is guessed.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from insight_engine.domain.source_errors import QueryFailed

Texts = Sequence[str | None]
Array = "pa.Array[Any]"
Decode = Callable[[Texts], Any]

INFINITY: Final = {
    "date": (2**31 - 1, -(2**31) + 1),
    "timestamp": (2**63 - 1, -(2**63) + 1),
}
"""Raw values that stand for `infinity`, `-infinity`: the ends of the type, so that they sort right."""

_MOMENT: Final = re.compile(
    r"(\d{4,})-(\d\d)-(\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?"
    r"(?:([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?)?( BC)?"
)
_DAY_US: Final = 86_400_000_000
_LAST_US: Final = 2**63 - 1


def text(values: Texts) -> Any:
    """Text as it is."""
    return pa.array(values, pa.string())


def number(kind: pa.DataType) -> Decode:
    """Whole or floating-point numbers; `NaN` and the infinities included."""
    return lambda values: pc.cast(text(values), kind)


def boolean(values: Texts) -> Any:
    """`t` and `f`."""
    return pc.equal(text(values), pa.scalar("t"))


def binary(values: Texts) -> Any:
    r"""Bytes in their `\x…` form."""
    return pa.array([None if v is None else bytes.fromhex(v[2:]) for v in values], pa.binary())


def uuid(values: Texts) -> Any:
    """UUIDs."""
    raw = [None if v is None else bytes.fromhex(v.replace("-", "")) for v in values]
    return pa.ExtensionArray.from_storage(pa.uuid(), pa.array(raw, pa.binary(16)))


def json(values: Texts) -> Any:
    """JSON as the server prints it, marked as JSON."""
    return pa.ExtensionArray.from_storage(pa.json_(pa.string()), text(values))


def opaque(name: str) -> Decode:
    """The server's text of a type that Arrow lacks, under the type's name."""
    kind = pa.opaque(pa.string(), name, "PostgreSQL")
    return lambda values: pa.ExtensionArray.from_storage(kind, text(values))


def date(values: Texts) -> Any:
    """Days; those outside the usual calendar are worked out one by one."""
    try:
        return pc.cast(text(values), pa.date32())
    except pa.ArrowInvalid:
        return pa.array([_endless(v, "date", _days) for v in values], pa.int32()).cast(pa.date32())


def timestamp(zone: str | None) -> Decode:
    """Moments, to the microsecond; with a zone they are kept in UTC."""
    kind = pa.timestamp("us", zone)

    def decode(values: Texts) -> Any:
        try:
            return pc.cast(text(values), kind)
        except pa.ArrowInvalid:
            return pa.array([_endless(v, "timestamp", _micros) for v in values], pa.int64()).cast(kind)

    return decode


def _endless(value: str | None, kind: str, parse: Callable[[str], int]) -> int | None:
    if value is None:
        return None
    later, earlier = INFINITY[kind]
    return {"infinity": later, "-infinity": earlier}.get(value) or parse(value)


def _days(value: str) -> int:
    found = _MOMENT.fullmatch(value)
    if found is None:
        raise QueryFailed("The database sent a date of unknown form: CAST it to text.")
    year = int(found[1])
    return _days_from_civil(1 - year if found[12] else year, int(found[2]), int(found[3]))


def _micros(value: str) -> int:
    found = _MOMENT.fullmatch(value)
    if found is None:
        raise QueryFailed("The database sent a timestamp of unknown form: CAST it to text.")
    seconds = int(found[4] or 0) * 3600 + int(found[5] or 0) * 60 + int(found[6] or 0)
    offset = int(found[9] or 0) * 3600 + int(found[10] or 0) * 60 + int(found[11] or 0)
    seconds -= -offset if found[8] == "-" else offset
    micros = _days(value) * _DAY_US + seconds * 1_000_000 + int((found[7] or "").ljust(6, "0"))
    if micros > _LAST_US:
        raise QueryFailed("A timestamp after the year 294246 does not fit in a result: CAST it to text.")
    return micros


def _days_from_civil(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 in the proleptic Gregorian calendar, for any year."""
    year -= month <= 2  # noqa: PLR2004 - the year is counted from March, its leap day coming last
    era, of_era = divmod(year, 400)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1  # noqa: PLR2004
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468
