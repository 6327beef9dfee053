"""`insight-engine user`: look at users, add them, keep them out, set passwords; in a pod or on a laptop."""

import asyncio
import os
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from getpass import getpass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from insight_engine.domain.errors import ConfigurationError
from insight_engine.domain.sources import Role
from insight_engine.domain.users import User, normalise_username
from insight_engine.settings import Settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator

    from insight_engine.adapters.identity.passwords import BcryptPasswords
    from insight_engine.adapters.store.users import StoredUsers

MIN_PASSWORD_CHARS: Final = 12
MAX_PASSWORD_CHARS: Final = 4096
MAX_NAME_CHARS: Final = 128
ACTIONS: Final = {
    "list": "print each user's name, role and state",
    "add": "add a user; the password is read from the terminal or stdin",
    "set-password": "read a new password from the terminal or stdin and store it",
    "disable": "keep a user out: tokens and passwords stop working within seconds",
    "enable": "let a user log in again",
}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("user", help="list, add, disable and enable users, set a password")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for name, text in ACTIONS.items():
        action = actions.add_parser(name, help=text, description=text.capitalize() + ".")
        if name != "list":
            action.add_argument("username")
        if name == "add":
            action.add_argument("--role", required=True, choices=[role.value for role in Role])
        action.add_argument("--data", type=Path, metavar="DIR", help="folder of an embedded engine")
        action.set_defaults(run=run)


def run(args: Any) -> int:
    """Run the sub-command; the exit code."""
    settings = Settings.from_env(os.environ)
    if args.data is not None:
        from insight_engine.cli.embedded import embedded_settings

        settings = embedded_settings(settings, args.data)
    if args.action == "list":
        return asyncio.run(_list(settings))
    if args.action == "add":
        return asyncio.run(_add(settings, args.username, Role(args.role)))
    if args.action == "set-password":
        return asyncio.run(_set_password(settings, args.username))
    return asyncio.run(_set_disabled(settings, args.username, disabled=args.action == "disable"))


@asynccontextmanager
async def _users(settings: Settings) -> "AsyncIterator[tuple[StoredUsers, BcryptPasswords]]":
    from insight_engine import wiring

    async with wiring.users(settings) as opened:
        yield opened


async def _list(settings: Settings) -> int:
    async with _users(settings) as (users, _):
        for user in await users.all():
            sys.stdout.write(
                f"{user.username}\t{user.role.value}\t{'disabled' if user.disabled else 'enabled'}\n"
            )
    return 0


async def _add(settings: Settings, username: str, role: Role) -> int:
    from insight_engine.domain.ids import uuid7

    name = normalise_username(username)
    if not name or len(name) > MAX_NAME_CHARS or not name.isprintable():
        raise ConfigurationError(
            "bad_username", f"A user's name has 1 to {MAX_NAME_CHARS} visible characters: choose another"
        )
    password = _asked()
    async with _users(settings) as (users, passwords):
        user = User(
            id=uuid7(),
            username=name,
            role=role,
            disabled=False,
            tokens_valid_from=datetime.now(UTC),
            password_hash=await passwords.hash(password),
        )
        if not await users.add(user):
            raise ConfigurationError(
                "username_taken", f"There is a user {name!r} already: choose another name"
            )
    sys.stdout.write(f"Added {name} as {role.value}.\n")
    return 0


async def _set_password(settings: Settings, username: str) -> int:
    password = _asked()
    async with _users(settings) as (users, passwords):
        user = await _named(users, username)
        await users.set_password(user.id, await passwords.hash(password), end_sessions=True)
    sys.stdout.write(f"Password of {user.username} set; its tokens no longer work.\n")
    return 0


async def _set_disabled(settings: Settings, username: str, *, disabled: bool) -> int:
    async with _users(settings) as (users, _):
        user = await _named(users, username)
        if not await users.set_disabled(user.id, disabled=disabled):
            raise ConfigurationError(
                "last_admin", f"{user.username} is the only admin who may log in: add or enable another first"
            )
    sys.stdout.write(
        f"{user.username} is {'disabled; its tokens no longer work' if disabled else 'enabled'}.\n"
    )
    return 0


async def _named(users: "StoredUsers", username: str) -> User:
    user = await users.by_name(normalise_username(username))
    if user is None:
        raise ConfigurationError(
            "unknown_user", f"There is no user {username!r}: see `insight-engine user list`"
        )
    return user


def _asked() -> str:
    password = getpass("New password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
        raise ConfigurationError(
            "password_too_short" if len(password) < MIN_PASSWORD_CHARS else "password_too_long",
            f"Use a password of {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters",
        )
    return password
