"""The sealed result of a verdict. Nothing but `prepare()` may make one, and nothing may change one.

The object itself holds no data: its facts live in a table in this file, keyed by the object's identity.
A copy, a pickle, a subclass or a bare `object.__new__` therefore has no facts and cannot run.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import NamedTuple, NoReturn, final
from weakref import WeakKeyDictionary

from insight_engine.domain.query import QueryLimits
from insight_engine.domain.sources import DataSource

Scalar = str | int | float | bool | bytes | Decimal | date | datetime | time | None
Parameters = Sequence[Scalar] | Mapping[str, Scalar]
"""Values as a caller gives them: by position, or by name."""
Bound = tuple[Scalar, ...] | Mapping[str, Scalar]
"""Values as they are bound: a copy that nobody can change."""


class NotPreparedError(TypeError):
    """Something that `prepare()` did not make was offered in place of a PreparedQuery."""


class Facts(NamedTuple):
    """What a verdict established; a tuple, as even frozen dataclasses give way to object.__setattr__."""

    sql: str
    source: DataSource
    parameters: Bound
    limits: QueryLimits
    tables: tuple[str, ...]
    policy_digest: str


class _Closed(type):
    """The type of a class whose attributes are as its file says, for good."""

    def __setattr__(cls, name: str, value: object) -> NoReturn:
        raise NotPreparedError("PreparedQuery cannot be changed")

    def __delattr__(cls, name: str) -> NoReturn:
        raise NotPreparedError("PreparedQuery cannot be changed")


@final
class PreparedQuery(metaclass=_Closed):
    """A statement that was judged and may run, exactly as it stands.

    Attributes:
        sql: the judged text, byte for byte, less what trails its last token (`;`, comments).
        source: the source it was judged for; an adapter of another source refuses it.
        parameters: values for `$1`, `?`, `:name` …, bound by the driver, never spliced.
        limits: caps that hold while it runs.
        tables: the `schema.table` names it reads, sorted.
        policy_digest: which policy judged it.
    """

    __slots__ = ("__weakref__",)

    def __new__(cls) -> "PreparedQuery":
        """Refuse: a PreparedQuery comes from `prepare()` only."""
        raise NotPreparedError("A PreparedQuery is made by sqlguard.prepare() and by nothing else")

    def __init_subclass__(cls) -> NoReturn:
        raise NotPreparedError("PreparedQuery cannot be extended")

    def __reduce__(self) -> NoReturn:
        raise NotPreparedError("A PreparedQuery cannot be copied or stored: keep the text and judge it again")

    @property
    def sql(self) -> str:
        """The judged text."""
        return facts(self).sql

    @property
    def source(self) -> DataSource:
        """The source it was judged for."""
        return facts(self).source

    @property
    def parameters(self) -> Bound:
        """Values to bind: a tuple, or a mapping for placeholders with names."""
        return facts(self).parameters

    @property
    def limits(self) -> QueryLimits:
        """Caps that hold while it runs."""
        return facts(self).limits

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables it reads."""
        return facts(self).tables

    @property
    def policy_digest(self) -> str:
        """Which policy judged it."""
        return facts(self).policy_digest


Sealer = Callable[[Facts], PreparedQuery]


def _registry() -> tuple[Sealer, Callable[[PreparedQuery], Facts]]:
    issued: WeakKeyDictionary[PreparedQuery, Facts] = WeakKeyDictionary()

    def seal(found: Facts) -> PreparedQuery:
        prepared: PreparedQuery = object.__new__(PreparedQuery)
        issued[prepared] = found
        return prepared

    def facts(prepared: PreparedQuery) -> Facts:
        """What was established about `prepared`; raises NotPreparedError for anything else."""
        known = issued.get(prepared) if type(prepared) is PreparedQuery else None
        if known is None:
            raise NotPreparedError("Only what sqlguard.prepare() returned may run")
        return known

    return seal, facts


_sealer, facts = _registry()
_unclaimed = [_sealer]
del _sealer


def claim_sealer() -> Sealer:
    """Hand the only stamp to the first who asks, which is the judge at its import; refuse all others."""
    if not _unclaimed:
        raise NotPreparedError("The stamp is taken: statements are judged by sqlguard.prepare() only")
    return _unclaimed.pop()
