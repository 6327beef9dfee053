"""The folder that an embedded engine lives in: held by one engine at a time, filled with what is missing."""

import asyncio
import base64
import fcntl
import json
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from insight_engine import wiring
from insight_engine.adapters.identity.passwords import BcryptPasswords
from insight_engine.domain.errors import ConfigurationError
from insight_engine.settings import Settings

ADMIN: Final = "admin"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make the folder and hold it; a lock that ends with the process, however that ends.

    Raises:
        ConfigurationError: it cannot be used, or another engine uses it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / "lock").open("a")
    except OSError as error:
        raise _unusable(folder, error) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ConfigurationError(
                "data_folder", f"Another engine uses {folder}: stop it, or name another folder with --data"
            ) from None
        yield


def prepare(settings: Settings) -> str | None:
    """Make keys, store, sample data and the first admin, whatever is missing; the admin's new password.

    Raises:
        ConfigurationError: the folder cannot be used.
    """
    folder = settings.secrets_dir.parent
    password = secrets.token_urlsafe(15)
    # Hashing takes as long as migrating a new store does, so both are done at once.
    is_new = not (folder / "insight.db").exists()
    with ThreadPoolExecutor(1) as thread:
        hashing = thread.submit(BcryptPasswords().hash_now, password) if is_new else None
        _fill(settings, folder)
        hashed = None if hashing is None else hashing.result()
    now = datetime.now(UTC)
    made = asyncio.run(wiring.make_first_admin(settings, ADMIN, password, now, hashed=hashed))
    return password if made else None


def _fill(settings: Settings, folder: Path) -> None:
    from insight_engine.adapters.sample import write_lake, write_sample
    from insight_engine.adapters.store.migrate_sqlite import migrate_sqlite

    try:
        _once(settings.secrets_dir / "database" / "uri", lambda: f"sqlite:///{folder / 'insight.db'}")
        _once(settings.secrets_dir / "jwt" / "keyset.json", _new_keyset)
        write_sample(folder / "sample.sqlite")
        write_lake(folder / "lake")
        _once(settings.sources_file, lambda: _sources(folder))
        migrate_sqlite(folder / "insight.db")
    except OSError as error:
        raise _unusable(folder, error) from None


def _unusable(folder: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        "data_folder", f"{folder} cannot be used ({error.strerror}): name another with --data"
    )


def _once(path: Path, text: Callable[[], str]) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(text())
    fresh.replace(path)


def _new_keyset() -> str:
    kid = secrets.token_urlsafe(12)
    secret = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    return json.dumps({"signing": kid, "keys": [{"kid": kid, "alg": "HS256", "secret": secret}]})


def _sources(folder: Path) -> str:
    found = [
        _source("sample", "sqlite", folder / "sample.sqlite"),
        _source("lake", "duckdb", folder / "lake"),
    ]
    return json.dumps({"sources": found}, indent=2) + "\n"


def _source(name: str, dialect: str, path: Path) -> dict[str, Any]:
    everyone = ["viewer", "analyst", "admin"]
    return {"name": name, "dialect": dialect, "schemas": ["main"], "roles": everyone, "path": str(path)}
