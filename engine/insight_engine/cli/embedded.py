"""`serve --embedded`: the whole engine in one process. Prepares its folder, then runs the same services."""

import asyncio
import base64
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import uvicorn

from insight_engine import wiring
from insight_engine.api.app import create_app
from insight_engine.domain.errors import ConfigurationError
from insight_engine.services.slot import Slot
from insight_engine.settings import Settings
from insight_engine.telemetry import configure_logging

ADMIN: Final = "admin"
DRAIN_S: Final = 5.0
SLOTS: Final = 2


def embedded_settings(settings: Settings, data: Path | None) -> Settings:
    """The settings of an engine that lives in one folder."""
    home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "insight-engine"
    folder = (data or home).absolute()
    return replace(
        settings,
        secrets_dir=folder / "secrets",
        sources_file=folder / "sources.json",
        worker_concurrency=SLOTS,
    )


def serve_embedded(settings: Settings, *, data: Path | None, host: str, port: int | None) -> int:
    """Prepare the folder and serve until interrupted; the exit code."""
    configure_logging(settings.log_level)
    settings = embedded_settings(settings, data)
    password = prepare_folder(settings)
    port = port or settings.api_port
    config = uvicorn.Config(
        create_app(lambda: _services(settings)),
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=int(DRAIN_S),
    )
    server = uvicorn.Server(config)
    if password is not None:
        sys.stderr.write(
            f"insight-engine: log in at http://{host}:{port} as {ADMIN} with the password {password}\n"
            "insight-engine: it is shown only now; `insight-engine user set-password admin --data "
            f"{settings.secrets_dir.parent}` sets another.\n"
        )
        sys.stderr.flush()
    server.run()
    return 0 if server.started else 1


def prepare_folder(settings: Settings) -> str | None:
    """Make keys, store, sample data and the first admin, whatever is missing; the admin's new password."""
    from insight_engine.adapters.sample import write_sample
    from insight_engine.adapters.store.migrate_sqlite import migrate_sqlite

    folder = settings.secrets_dir.parent
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _once(settings.secrets_dir / "database" / "uri", lambda: f"sqlite:///{folder / 'insight.db'}")
        _once(settings.secrets_dir / "jwt" / "keyset.json", _new_keyset)
        write_sample(folder / "sample.sqlite")
        _once(settings.sources_file, lambda: _sample_sources(folder / "sample.sqlite"))
        migrate_sqlite(folder / "insight.db")
    except OSError as error:
        raise ConfigurationError(
            "data_folder", f"{folder} cannot be used ({error.strerror}): name another with --data"
        ) from None
    password = secrets.token_urlsafe(15)
    made = asyncio.run(wiring.make_first_admin(settings, ADMIN, password, datetime.now(UTC)))
    return password if made else None


def _once(path: Path, text: "Callable[[], str]") -> None:
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


def _sample_sources(path: Path) -> str:
    sample = {
        "name": "sample",
        "dialect": "sqlite",
        "schemas": ["main"],
        "roles": ["viewer", "analyst", "admin"],
        "path": str(path),
    }
    return json.dumps({"sources": [sample]}, indent=2) + "\n"


@asynccontextmanager
async def _services(settings: Settings) -> AsyncIterator[wiring.Api]:
    async with wiring.embedded(settings) as engine:
        tasks = [asyncio.create_task(engine.housekeeper.run_forever())]
        for slot in engine.slots:
            tasks += [asyncio.create_task(slot.poll_forever()), asyncio.create_task(_answer(engine, slot))]
        try:
            yield engine.api
        finally:
            await asyncio.gather(*(slot.drain(DRAIN_S) for slot in engine.slots))
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _answer(engine: wiring.Embedded, slot: Slot) -> None:
    while True:
        await slot.ring(await engine.doorbell.answer())
