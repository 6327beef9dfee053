"""Waits for a condition on the event loop, never for a time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(what: str, check: Callable[[], Awaitable[T | None]], within_s: float) -> T:
    """Return the first true value of `check`; fail the test naming `what` when the time is over."""
    started = time.monotonic()
    while True:
        if value := await check():
            return value
        if time.monotonic() - started > within_s:
            raise AssertionError(f"{what} did not happen within {within_s} s")
        await asyncio.sleep(0.01)


async def true(what: str, check: Callable[[], object], within_s: float) -> None:
    """The same for a condition that needs no waiting itself."""

    async def checked() -> bool:
        return bool(check())

    await until(what, checked, within_s)
