"""Secret sets: folders of files under INSIGHT_SECRETS_DIR, read again when they change. Never logged.

Kubernetes replaces a mounted Secret by swinging the `..data` link, so one set is always read through one
resolved folder: a reader never sees the user of one generation with the password of another.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, Generic, TypeVar

from insight_engine.domain.errors import ConfigurationError

T = TypeVar("T")
MAX_FILE_BYTES: Final = 1024 * 1024
RECHECK_S: Final = 1.0


def read_set(root: Path, name: str) -> dict[str, str] | None:
    """The files of a set by name, each without its trailing line break; None when the set is not mounted.

    Raises:
        ConfigurationError: a file is not readable text.
    """
    folder = root / name
    try:
        resolved = (folder / "..data").resolve(strict=True)
    except OSError:
        resolved = folder
    try:
        files = [entry for entry in resolved.iterdir() if not entry.name.startswith(".") and entry.is_file()]
        return {entry.name: _text(entry) for entry in files} or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            "secret_unreadable",
            f"Secret set {folder} cannot be read ({type(error).__name__}): check its mount and mode",
        ) from None


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MAX_FILE_BYTES).decode().rstrip("\r\n")


def stamp(root: Path, name: str) -> object:
    """Something that differs once the set has changed."""
    folder = root / name
    try:
        return (folder / "..data").readlink()
    except OSError:
        pass
    try:
        return tuple(
            sorted((e.name, e.stat().st_mtime_ns, e.stat().st_size) for e in folder.iterdir() if e.is_file())
        )
    except OSError:
        return None


class Watched(Generic[T]):
    """A value parsed from files, parsed again when they changed; checked at most once a second.

    A change that cannot be parsed keeps the last good value: half-written files must not stop a service.
    """

    def __init__(
        self,
        stamp: Callable[[], object],
        load: Callable[[], T],
        on_error: Callable[[ConfigurationError], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stamp, self._load, self._on_error, self._clock = stamp, load, on_error, clock
        self._seen = stamp()
        self._value = load()
        self._checked = clock()

    def get(self) -> T:
        """The current value."""
        now = self._clock()
        if now - self._checked < RECHECK_S:
            return self._value
        self._checked = now
        seen = self._stamp()
        if seen != self._seen:
            try:
                self._value = self._load()
                self._seen = seen
            except ConfigurationError as error:
                self._on_error(error)
        return self._value


def require(secret: Mapping[str, str] | None, name: str, keys: tuple[str, ...]) -> Mapping[str, str]:
    """The set, once it is sure to hold `keys`.

    Raises:
        ConfigurationError: naming the set and the missing file.
    """
    if secret is None:
        raise ConfigurationError(
            "secret_missing", f"Secret set {name} is not mounted. It needs {', '.join(keys)}."
        )
    missing = [key for key in keys if not secret.get(key)]
    if missing:
        raise ConfigurationError(
            "secret_incomplete", f"Secret set {name} has no {' and no '.join(missing)}. Add what is missing."
        )
    return secret
