"""The list of data sources, from the JSON file that the operator (or a person) writes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from insight_engine.adapters.config.endpoints import source_credential
from insight_engine.adapters.config.secrets import Watched
from insight_engine.domain.credentials import SourceCredential
from insight_engine.domain.errors import ConfigurationError
from insight_engine.domain.sources import DataSource, Dialect, Role, RoleRule
from insight_engine.telemetry import get_logger

FILE_DIALECTS: Final = {Dialect.SQLITE, Dialect.DUCKDB}

_Name = Annotated[str, Field(min_length=1, max_length=63)]
_TableName = Annotated[str, Field(pattern=r"^[^.]+\.[^.].*$", max_length=127)]


class _Entry(BaseModel):
    """A part of the file. Unknown keys are refused: a misspelt grant must not be taken for none."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class _Grant(_Entry):
    schemas: tuple[_Name, ...] | None = None
    tables: tuple[_TableName, ...] = ()
    columns: dict[_TableName, Annotated[tuple[_Name, ...], Field(min_length=1)]] = Field(default_factory=dict)
    max_cost: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    def rule(self, role: Role) -> RoleRule:
        return RoleRule(role, self.schemas, self.tables, tuple(self.columns.items()), self.max_cost)


class _Source(_Entry):
    name: _Name
    dialect: Dialect
    schemas: Annotated[tuple[_Name, ...], Field(min_length=1)]
    roles: frozenset[Role]
    path: Annotated[str, Field(min_length=1)] | None = None
    max_connections: Annotated[int, Field(strict=True, ge=1, le=64)] = 8
    grants: dict[Role, _Grant] = Field(default_factory=dict)


class FileCatalog:
    """Data sources by name; a changed file is taken up within a second."""

    def __init__(self, path: Path, secrets_dir: Path) -> None:
        self._secrets_dir = secrets_dir
        self._sources = Watched(lambda: _file_stamp(path), lambda: load_sources(path), _keep_the_last)

    def all(self) -> Mapping[str, DataSource]:
        """Every configured source by name."""
        return self._sources.get()

    def credential(self, name: str) -> SourceCredential | None:
        """The login of that source, or None for sources that are files; read anew each time.

        A login remembered for a second would be refused for a second after its rotation.
        """
        return source_credential(self._secrets_dir, name)


def _keep_the_last(error: ConfigurationError) -> None:
    get_logger("sources").error("Kept the data sources as they were", reason=error.message)


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
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError("sources_unreadable", f"{path} is not readable JSON: {error}") from None
    entries = document.get("sources") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ConfigurationError("sources_invalid", f'{path} must hold {{"sources": […]}}')
    sources: dict[str, DataSource] = {}
    for index, entry in enumerate(entries):
        source = _source(path, index, entry)
        if source.name in sources:
            raise _unusable(path, index, entry, "name: another source has it, give each its own")
        sources[source.name] = source
    return sources


def _source(path: Path, index: int, entry: Any) -> DataSource:
    try:
        found = _Source.model_validate(entry)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'entry'}: {problem['msg']}" for problem in error.errors()
        )
        raise _unusable(path, index, entry, problems) from None
    if (found.path is None) is (found.dialect in FILE_DIALECTS):
        cure = "this dialect needs one" if found.path is None else "a server has none, remove it"
        raise _unusable(path, index, entry, f"path: {cure}")
    return DataSource(
        name=found.name,
        dialect=found.dialect,
        schemas=found.schemas,
        roles=found.roles,
        path=found.path,
        rules=tuple(grant.rule(role) for role, grant in found.grants.items()),
        max_connections=found.max_connections,
    )


def _unusable(path: Path, index: int, entry: Any, problem: str) -> ConfigurationError:
    name = entry.get("name") if isinstance(entry, dict) else None
    which = f"sources[{index}]" + (f" ({name!r})" if isinstance(name, str) else "")
    return ConfigurationError("sources_invalid", f"{path}: {which} is not usable: {problem}")
