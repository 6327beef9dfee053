"""`insight-engine migrate`: brings the database to this release's schema and makes the first admin."""

import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from insight_engine.adapters.config.development import refuse_development_secrets
from insight_engine.cli import exits
from insight_engine.domain.errors import EngineError
from insight_engine.settings import Settings
from insight_engine.telemetry import configure_logging, get_logger, scrub

if TYPE_CHECKING:
    import argparse

WAIT_S: Final = 60.0


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "migrate",
        help="bring the database to this release's schema",
        description="Wait for the database, make its roles when the set database-admin is mounted, run the "
        "migrations, and make the first admin from the set bootstrap-admin. Safe to run again.",
    )
    parser.add_argument(
        "--wait", type=float, default=WAIT_S, metavar="S", help="seconds to wait for the database"
    )
    parser.add_argument(
        "--production",
        action="store_true",
        help="refuse secrets made for development or copied from examples",
    )
    parser.set_defaults(run=run)


def run(args: Any) -> int:
    """Run the sub-command; the exit code. The outcome is written as JSON to the termination log."""
    settings = Settings.from_env(os.environ)
    configure_logging(settings.log_level)
    try:
        if args.production:
            refuse_development_secrets(settings.secrets_dir)
        revision = migrate(settings, args.wait)
    except EngineError as error:
        message = scrub(error.message)
        _tell(settings.termination_log, {"outcome": "failed", "code": error.code, "message": message})
        get_logger("migrate").error("Failed to migrate", code=error.code, reason=message)
        return exits.code_of(error)
    except Exception as error:  # noqa: BLE001 - the outcome must be told whatever happened
        message = f"The migration failed unexpectedly ({type(error).__name__}); its log has the details."
        _tell(settings.termination_log, {"outcome": "failed", "code": "internal_error", "message": message})
        get_logger("migrate").exception("Failed to migrate by a fault")
        return exits.UNEXPECTED
    _tell(settings.termination_log, {"outcome": "succeeded", "revision": revision})
    get_logger("migrate").info("Migrated", revision=revision)
    return exits.OK


def migrate(settings: Settings, wait_s: float) -> str:
    """Migrate and make the first admin; the revision reached."""
    from insight_engine.adapters.config.endpoints import database_login
    from insight_engine.adapters.config.secrets import read_set
    from insight_engine.adapters.store.migrate import migrate_postgres
    from insight_engine.adapters.store.migrate_sqlite import migrate_sqlite

    login = database_login(settings.secrets_dir)
    bootstrap = read_set(settings.secrets_dir, "bootstrap-admin")
    if login.sqlite_path is not None:
        revision = migrate_sqlite(Path(login.sqlite_path))
    else:
        managed = read_set(settings.secrets_dir, "database-admin") is not None
        admin = database_login(settings.secrets_dir, "database-admin") if managed else None
        revision = migrate_postgres(login, admin, wait_s=wait_s)
    if bootstrap is not None:
        _make_first_admin(settings, bootstrap)
    return revision


def _make_first_admin(settings: Settings, bootstrap: dict[str, str]) -> None:
    from insight_engine import wiring
    from insight_engine.adapters.config.secrets import require

    given = require(bootstrap, "bootstrap-admin", ("username", "password"))
    made = asyncio.run(
        wiring.make_first_admin(settings, given["username"], given["password"], datetime.now(UTC))
    )
    get_logger("migrate").info("Made the first admin" if made else "Kept the admins there are")


def _tell(path: Path, outcome: dict[str, str]) -> None:
    # Kubernetes makes this file before the container starts; elsewhere there is nobody to read it.
    if path.is_file():
        path.write_text(json.dumps(outcome))
