"""Results in a folder that API and workers share: a volume, or the data folder of an embedded engine."""

import asyncio
import os
import secrets
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import ClassVar, TypeVar

from insight_engine.adapters.results import away, is_older, result_folder, written_key
from insight_engine.domain.jobs import Attempt, Job
from insight_engine.telemetry import get_logger

T = TypeVar("T")


class FolderChunks:
    """Result chunks as files. A file is whole or not there: it gets its name when it is complete."""

    name: ClassVar = "folder"
    transactional: ClassVar = False

    def __init__(self, root: Path) -> None:
        self._root = root

    async def prepare(self, bucket: date) -> None:
        """See to it that chunks of that day can be stored."""
        await _off_loop(lambda: _private_folder(self._root / bucket.isoformat()))

    async def put(self, attempt: Attempt, seq: int, data: bytes, rows: int) -> None:
        """Store one chunk."""
        del rows
        await _off_loop(lambda: _write(self._root / written_key(attempt, seq), data))

    async def get(self, job: Job, seq: int) -> bytes | None:
        """Read one chunk; None when it is lost."""
        return await _off_loop(lambda: self._read(self._root / result_folder(job) / str(seq)))

    async def count(self, job: Job) -> int:
        """How many chunks of its result there are."""
        return await _off_loop(lambda: self._count(self._root / result_folder(job)))

    async def drop_expired(self, *, keep_days: int) -> None:
        """Delete results that no page can ask for any more."""
        oldest = datetime.now(UTC).date() - timedelta(days=keep_days)
        await _off_loop(lambda: self._drop(oldest))

    def _read(self, path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            self._root.stat()  # a folder that is not mounted has lost nothing
            return None

    def _count(self, folder: Path) -> int:
        try:
            return sum(file.name.isdigit() for file in folder.iterdir())
        except FileNotFoundError:
            self._root.stat()
            return 0

    def _drop(self, oldest: date) -> None:
        for day in self._root.iterdir():
            if is_older(day.name, oldest):
                shutil.rmtree(day, ignore_errors=True)


def _private_folder(path: Path) -> None:
    if not path.is_dir():
        _private_folder(path.parent)
        path.mkdir(exist_ok=True, mode=0o700)


def _write(path: Path, data: bytes) -> None:
    _private_folder(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


async def _off_loop(call: Callable[[], T]) -> T:
    """Run it in a thread: a folder may be a network's.

    Raises:
        Unavailable: the folder is missing, full or not ours.
    """
    try:
        return await asyncio.to_thread(call)
    except OSError as error:
        get_logger("results").warning("Could not use the folder of results", reason=error.strerror)
        raise away() from error
