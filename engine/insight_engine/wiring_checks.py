"""What a parent process does before it starts children.

It checks all that would fail in every one, and loads what every one would load: they share its memory.
"""

import importlib
from collections.abc import Iterable
from typing import Final

from insight_engine.adapters.config.endpoints import broker_login, database_login
from insight_engine.adapters.identity.tokens import watched_keyset
from insight_engine.adapters.results.choose import check_results
from insight_engine.domain.query import QueryLimits
from insight_engine.domain.sources import DataSource, Dialect, Grants
from insight_engine.settings import Settings
from insight_engine.sqlguard import Rejected, prepare
from insight_engine.wiring_links import source_catalog

_LINKS: Final = (
    "insight_engine.adapters.queue.bell",
    "insight_engine.adapters.queue.doorbell",
    "insight_engine.adapters.queue.wakeups",
    "insight_engine.adapters.store.direct",
    "sqlalchemy.dialects.postgresql.psycopg",
)
_ADAPTERS: Final = {
    Dialect.POSTGRES: "insight_engine.adapters.sources.postgres",
    Dialect.MYSQL: "insight_engine.adapters.sources.mysql",
    Dialect.SQLITE: "insight_engine.adapters.sources.sqlite",
    Dialect.DUCKDB: "insight_engine.adapters.sources.duckdb",
}


def check_api(settings: Settings) -> None:
    """Fail at once, in the parent process, on what would fail in every child.

    Raises:
        ConfigurationError: a secret set or the source list is missing or wrong.
    """
    watched_keyset(settings.secrets_dir)
    database_login(settings.secrets_dir)
    broker_login(settings.secrets_dir)
    sources = source_catalog(settings).all().values()
    check_results(settings)
    _load((*_LINKS, "passlib.handlers.bcrypt", "pyarrow.compute"), sources)


def check_worker(settings: Settings) -> None:
    """The same for a worker, which has no signing keys."""
    database_login(settings.secrets_dir)
    broker_login(settings.secrets_dir)
    sources = source_catalog(settings).all().values()
    check_results(settings)
    adapters = {_ADAPTERS[source.dialect] for source in sources}
    _load((*_LINKS, *sorted(adapters), "pyarrow.compute"), sources)


def _load(modules: Iterable[str], sources: Iterable[DataSource]) -> None:
    for module in modules:
        importlib.import_module(module)
    for source in {source.dialect: source for source in sources}.values():
        try:  # a parser loads its dialect at its first statement
            prepare("SELECT 1", source=source, grants=Grants(frozenset()), limits=QueryLimits())
        except Rejected:
            continue
