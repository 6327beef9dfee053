"""Finds tables in a catalog in constant time, however many it holds. Pure but for a cache.

A catalog is not changed after it was handed over: a refreshed one is another object. The index of the last
one of each data source is kept, so a verdict does not pay for the size of the catalog.
"""

from collections import OrderedDict

from insight_engine.domain.sources import Catalog, DataSource
from insight_engine.sqlguard.text import fold

_KEPT = 256
Key = tuple[str, str]


class Index:
    """Tables of one catalog by name.

    Attributes:
        exact: whether names that differ in case only are different tables (MySQL) or the same (SQLite).
    """

    def __init__(self, catalog: Catalog, *, quotes_keep_case: bool, exact: bool) -> None:
        self.catalog = catalog
        self._plain = quotes_keep_case
        self._exact = exact
        self._columns: dict[Key, tuple[str, ...]] = {}
        self._folded: dict[Key, list[Key]] = {}
        if not quotes_keep_case:
            for schema, tables in catalog.items():
                for table in tables:
                    self._folded.setdefault((fold(schema), fold(table)), []).append((schema, table))

    def find(self, schema: str, table: str) -> Key | None:
        """The table as the catalog spells it; None when there is none, or no telling which is meant."""
        if table in self.catalog.get(schema, ()):
            return schema, table
        found = self._folded.get((fold(schema), fold(table)), ())
        return found[0] if len(found) == 1 or (found and not self._exact) else None

    def columns(self, key: Key) -> tuple[str, ...]:
        """Columns of a table that `find` returned, as the database compares their names."""
        known = self._columns.get(key)
        if known is None:
            names = self.catalog[key[0]][key[1]]
            known = self._columns[key] = tuple(names) if self._plain else tuple(fold(name) for name in names)
        return known


_indexes: OrderedDict[tuple[str, str], Index] = OrderedDict()


def index_of(
    catalog: Catalog | None, source: DataSource, *, quotes_keep_case: bool, exact: bool
) -> Index | None:
    """The index of a source's catalog, made once for each catalog object."""
    if catalog is None:
        return None
    key = (source.dialect.value, source.name)
    index = _indexes.get(key)
    if index is None or index.catalog is not catalog:
        index = Index(catalog, quotes_keep_case=quotes_keep_case, exact=exact)
        _indexes[key] = index
        while len(_indexes) > _KEPT:
            _indexes.popitem(last=False)
    return index
