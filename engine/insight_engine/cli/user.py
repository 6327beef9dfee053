"""`insight-engine user`: look at users and set their passwords, from inside a pod or on a laptop."""

import asyncio
import os
import sys
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from insight_engine.domain.errors import ConfigurationError
from insight_engine.settings import Settings

if TYPE_CHECKING:
    import argparse

MIN_PASSWORD_CHARS: Final = 12


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("user", help="list users, set a password")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="print each user's name, role and state")
    change = actions.add_parser(
        "set-password", help="read a new password from the terminal or stdin and store it"
    )
    change.add_argument("username")
    for action in (listing, change):
        action.add_argument("--data", type=Path, metavar="DIR", help="folder of an embedded engine")
        action.set_defaults(run=run)


def run(args: Any) -> int:
    """Run the sub-command; the exit code."""
    settings = Settings.from_env(os.environ)
    if args.data is not None:
        from insight_engine.cli.embedded import embedded_settings

        settings = embedded_settings(settings, args.data)
    return asyncio.run(_list(settings) if args.action == "list" else _set_password(settings, args.username))


async def _list(settings: Settings) -> int:
    from insight_engine import wiring

    async with wiring.users(settings) as (users, _):
        for user in await users.all():
            sys.stdout.write(
                f"{user.username}\t{user.role.value}\t{'disabled' if user.disabled else 'enabled'}\n"
            )
    return 0


async def _set_password(settings: Settings, username: str) -> int:
    from insight_engine import wiring
    from insight_engine.domain.users import normalise_username

    password = _asked()
    async with wiring.users(settings) as (users, passwords):
        user = await users.by_name(normalise_username(username))
        if user is None:
            raise ConfigurationError(
                "unknown_user", f"There is no user {username!r}: see `insight-engine user list`"
            )
        await users.set_password(user.id, await passwords.hash(password), end_sessions=True)
    sys.stdout.write(f"Password of {user.username} set; its tokens no longer work.\n")
    return 0


def _asked() -> str:
    password = getpass("New password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if len(password) < MIN_PASSWORD_CHARS:
        raise ConfigurationError(
            "password_too_short", f"Use a password of at least {MIN_PASSWORD_CHARS} characters"
        )
    return password
