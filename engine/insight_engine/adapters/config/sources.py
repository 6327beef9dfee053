"""The list of data sources, from the JSON file that the operator (or a person) writes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from insight_engine.adapters.config.endpoints import source_credential
from insight_engine.adapters.config.secrets import Watched
from insight_engine.domain.credentials import SourceCredential
from insight_engine.domain.errors import ConfigurationError
from insight_engine.domain.sources import DataSource, Dialect, Role


class FileCatalog:
    """Data sources by name; a changed file is taken up within a second."""

    def __init__(self, path: Path, secrets_dir: Path) -> None:
        self._secrets_dir = secrets_dir
        self._sources = Watched(lambda: _file_stamp(path), lambda: load_sources(path))

    def all(self) -> Mapping[str, DataSource]:
        """Every configured source by name."""
        return self._sources.get()

    def credential(self, name: str) -> SourceCredential | None:
        """The login of that source, or None for sources that are files."""
        return source_credential(self._secrets_dir, name)


def _file_stamp(path: Path) -> object:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def load_sources(path: Path) -> dict[str, DataSource]:
    """Read the file; a missing file means no sources.

    Raises:
        ConfigurationError: naming the entry and what is wrong with it.
    """
    try:
        document = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigurationError("sources_unreadable", f"{path} is not readable JSON: {error}") from None
    entries = document.get("sources") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ConfigurationError("sources_invalid", f'{path} must hold {{"sources": […]}}')
    sources = [_source(path, index, entry) for index, entry in enumerate(entries)]
    return {source.name: source for source in sources}


def _source(path: Path, index: int, entry: Any) -> DataSource:
    try:
        return DataSource(
            name=str(entry["name"]),
            dialect=Dialect(entry["dialect"]),
            schemas=tuple(str(schema) for schema in entry["schemas"]),
            roles=frozenset(Role(role) for role in entry["roles"]),
            path=str(entry["path"]) if entry.get("path") else None,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(
            "sources_invalid",
            f"{path}: sources[{index}] is not usable ({type(error).__name__}: {error}); "
            "it needs name, dialect (postgres, sqlite, duckdb), schemas, roles",
        ) from None
