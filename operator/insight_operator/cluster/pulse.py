"""When each watch last gave a sign of life. Pure: the clock is an argument.

The API server sends every watch a bookmark a minute, news or none: it is the canary, and it costs no write.
"""

import time
from collections.abc import Callable
from typing import Final

SILENCE_S: Final = 75.0
"""A watch that was silent for so long, a bookmark's minute and a margin, is cut off and made anew."""

DEAF_S: Final = 150.0
"""A watch that was silent for so long although the API server answers does not heal by itself any more."""

Stream = tuple[str, str]
"""Kind and namespace of a watch; the namespace is empty for all of them."""


class Pulse:
    """The signs of life of every watch that should live."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard_at: dict[Stream, float] = {}

    def heard(self, kind: str, namespace: str) -> None:
        """Take in that a watch said something, or that it was just begun."""
        self._heard_at[kind, namespace] = self._clock()

    def excused(self, kind: str, namespace: str) -> None:
        """Expect nothing of a watch that the API server refuses: its namespace is gone, or our right."""
        self._heard_at.pop((kind, namespace), None)

    def ages(self) -> dict[str, float]:
        """Return by kind for how many seconds the most silent watch of it has said nothing."""
        now = self._clock()
        found: dict[str, float] = {}
        for (kind, _), at in list(self._heard_at.items()):  # a copy: metrics are read by another thread
            found[kind] = max(found.get(kind, 0.0), now - at)
        return found

    def deaf(self) -> list[Stream]:
        """Return the watches that have been silent for longer than any reconnection takes."""
        now = self._clock()
        return sorted(stream for stream, at in self._heard_at.items() if now - at > DEAF_S)
