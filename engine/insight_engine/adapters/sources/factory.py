"""Picks the adapter for a data source's dialect."""

from insight_engine.domain.credentials import SourceCredential
from insight_engine.domain.source_errors import SourceMisconfigured
from insight_engine.domain.sources import DataSource, Dialect
from insight_engine.ports import Source


def open_source(source: DataSource, credential: SourceCredential | None) -> Source:
    """Make the adapter of a source; connects to nothing yet.

    Raises:
        SourceMisconfigured: when the credential or the path that its dialect needs is missing.
    """
    if source.dialect in {Dialect.POSTGRES, Dialect.MYSQL}:
        return _server(source, credential)
    if source.path is None:
        raise SourceMisconfigured(f"Data source {source.name} needs a path to its database file")
    if source.dialect is Dialect.SQLITE:
        from insight_engine.adapters.sources.sqlite import SqliteSource

        return SqliteSource(source)
    from insight_engine.adapters.sources.duckdb import DuckdbSource

    return DuckdbSource(source)


def _server(source: DataSource, credential: SourceCredential | None) -> Source:
    if credential is None:
        raise SourceMisconfigured(f"Data source {source.name} needs a credential: mount its secret")
    if source.dialect is Dialect.MYSQL:
        from insight_engine.adapters.sources.mysql import MysqlSource

        return MysqlSource(source, credential)
    from insight_engine.adapters.sources.postgres import PostgresSource

    return PostgresSource(source, credential)
