"""Statements that were found harmless before: a verdict is a pure function of what is compared here."""

from dataclasses import dataclass, field
from typing import Final

from insight_engine.domain.query import QueryLimits
from insight_engine.domain.sources import Catalog, DataSource, Role
from insight_engine.sqlguard import PreparedQuery

MAX_REMEMBERED: Final = 256
"""Verdicts per source."""
MAX_CHARS: Final = 4096
Question = tuple[str, Role, QueryLimits]
"""A statement without parameters, whose grants it is read by, and what it may cost."""


@dataclass(frozen=True, slots=True)
class _Same:
    """The verdicts by one state of a source's settings and catalog, which are compared by identity."""

    source: DataSource
    catalog: Catalog | None
    verdicts: dict[Question, PreparedQuery] = field(default_factory=dict)


class Verdicts:
    """The harmless statements of one process. Any thread may ask; at worst something is judged twice."""

    def __init__(self) -> None:
        self._states: dict[str, _Same] = {}

    def find(self, question: Question, source: DataSource, catalog: Catalog | None) -> PreparedQuery | None:
        """The verdict, if it was given by these very settings and this very catalog."""
        state = self._states.get(source.name)
        if state is None or state.source is not source or state.catalog is not catalog:
            return None
        return state.verdicts.get(question)

    def keep(
        self, question: Question, source: DataSource, catalog: Catalog | None, prepared: PreparedQuery
    ) -> None:
        """Remember a verdict; all those by another state of the source are forgotten."""
        state = self._states.get(source.name)
        if (
            state is None
            or state.source is not source
            or state.catalog is not catalog
            or len(state.verdicts) >= MAX_REMEMBERED
        ):
            state = self._states[source.name] = _Same(source, catalog)
        state.verdicts[question] = prepared
