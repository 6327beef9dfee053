"""Password hashing by libpass: bcrypt over SHA-256, so every byte of any length counts. Off the event loop.

One hash costs a quarter of a CPU second. Two threads do them, few may wait, the rest are told to come again:
a flood of logins cannot starve queries.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from passlib.context import CryptContext

from insight_engine.domain.errors import Busy

T = TypeVar("T")
THREADS: Final = 2
MAX_WAITING: Final = 32
ROUNDS: Final = 12
MAX_PASSWORD_CHARS: Final = 4096


class BcryptPasswords:
    """Verifies and hashes passwords."""

    def __init__(self, rounds: int = ROUNDS, max_waiting: int = MAX_WAITING) -> None:
        self._context = CryptContext(
            schemes=["bcrypt_sha256", "bcrypt"],
            deprecated=["bcrypt"],
            bcrypt_sha256__rounds=rounds,
            bcrypt__rounds=rounds,
        )
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="password")
        # The hash of no password: comparing with it costs an unknown name what a known one costs.
        self._nobody = f"$bcrypt-sha256$v=2,t=2b,r={rounds}${'.' * 22}${'.' * 31}"
        self._free = max_waiting

    async def verify(self, password: str, password_hash: str | None) -> tuple[bool, str | None]:
        """Compare; the second value is a better hash to store, if any. None as hash costs the same time.

        Raises:
            Busy: too many logins at once.
        """
        return await self._run(lambda: self._verify(password, password_hash))

    def _verify(self, password: str, password_hash: str | None) -> tuple[bool, str | None]:
        try:
            matches, better = self._context.verify_and_update(password, password_hash or self._nobody)
        except (ValueError, TypeError):
            # bcrypt refuses NUL bytes and, for old plain hashes, more than 72 bytes.
            return False, None
        return (bool(matches) and password_hash is not None), better

    async def hash(self, password: str) -> str:
        """Hash a new password."""
        return await self._run(lambda: self.hash_now(password))

    def hash_now(self, password: str) -> str:
        """The same, blocking for a quarter of a second."""
        return str(self._context.hash(password))

    async def _run(self, work: Callable[[], T]) -> T:
        if self._free <= 0:
            raise Busy("too_many_logins", "Too many logins at once. Try again in a second.")
        self._free -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._free += 1
