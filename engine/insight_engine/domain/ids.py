"""Identifiers. Pure but for the clock and the random source that callers may replace."""

import re
import secrets
import time
from typing import Final
from uuid import UUID

CORRELATION_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
"""What is accepted as a caller's correlation id: safe in logs, headers and database session settings."""


def uuid7(now_ns: int | None = None, entropy: bytes | None = None) -> UUID:
    """An id that sorts by when it was made, to a quarter microsecond (RFC 9562 version 7, §6.2 method 3).

    New rows land at the end of an index, and two ids of one process are in the order of their making.
    """
    milliseconds, rest_ns = divmod(time.time_ns() if now_ns is None else now_ns, 1_000_000)
    fraction = (rest_ns << 12) // 1_000_000  # the 12 bits that follow the milliseconds
    noise = int.from_bytes(secrets.token_bytes(8) if entropy is None else entropy, "big")
    value = (milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62
    return UUID(int=value | noise & (1 << 62) - 1)


def is_correlation_id(text: str) -> bool:
    """Whether a caller's correlation id may be used as it is."""
    return CORRELATION_ID.fullmatch(text) is not None
