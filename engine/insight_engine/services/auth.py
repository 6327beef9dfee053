"""Who is asking: logging in, and recognising a token."""

from dataclasses import dataclass
from typing import Final

from insight_engine.domain.errors import Unauthenticated, refused_token
from insight_engine.domain.users import User, normalise_username
from insight_engine.ports import Passwords, Tokens, Users
from insight_engine.services.directory import UserDirectory
from insight_engine.telemetry import get_logger

ISSUE_SLACK_S: Final = 1.0
"""Tokens carry whole seconds; a token of the very second of a change is still taken."""


@dataclass(frozen=True, slots=True)
class AuthService:
    """Logs users in and recognises them."""

    users: Users
    directory: UserDirectory
    passwords: Passwords
    tokens: Tokens

    async def login(self, username: str, password: str) -> tuple[str, int]:
        """An access token and its lifetime in seconds.

        Raises:
            Unauthenticated: the same for an unknown name, a wrong password and a disabled user.
            Busy: too many logins at once.
        """
        user = await self.users.by_name(normalise_username(username))
        matches, better = await self.passwords.verify(password, user.password_hash if user else None)
        if user is None or not matches or user.disabled:
            get_logger("auth").info("Refused a login")
            raise Unauthenticated("login_refused", "Username or password is wrong.")
        if better is not None:
            await self.users.set_password(user.id, better, end_sessions=False)
        get_logger("auth").info("Logged in", user_id=str(user.id))
        return self.tokens.issue(user)

    async def recognise(self, token: str) -> User:
        """The user a token stands for, as the user is now.

        Raises:
            Unauthenticated: the token is not valid, or its user may no longer log in.
        """
        user_id, issued_at = self.tokens.verify(token)
        user = await self.directory.get(user_id)
        if user is None or user.disabled or issued_at + ISSUE_SLACK_S < user.tokens_valid_from.timestamp():
            raise refused_token()
        return user
