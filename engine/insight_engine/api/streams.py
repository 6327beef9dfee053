"""Answers that take long: how many a process sends at once, and what ends them."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Final

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from insight_engine.api.problems import problem_response
from insight_engine.domain.errors import Busy
from insight_engine.domain.jobs import Job

KEEP_ALIVE_S: Final = 10.0
LONGEST_S: Final = 900.0
"""Seconds after which a stream of events ends, so that its reader comes again and shows a token anew."""


class Slots:
    """How many answers of a kind are being sent, and how many may be."""

    def __init__(self, most: int) -> None:
        self.most, self.taken = most, 0


class BoundedStream(StreamingResponse):
    """A stream that holds a slot while it is sent; 429 when none is free."""

    def __init__(
        self, content: AsyncIterator[bytes], slots: Slots, media_type: str, headers: Mapping[str, str]
    ) -> None:
        super().__init__(content, headers=headers, media_type=media_type)
        self._content, self._slots = content, slots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it all, or as much as the client takes."""
        if self._slots.taken >= self._slots.most:
            busy = Busy("too_many_streams", "Too many results or events are being sent. Try again soon.")
            await problem_response(busy)(scope, receive, send)
            return
        self._slots.taken += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._slots.taken -= 1
            close = getattr(self._content, "aclose", None)
            if close is not None:  # what it holds open is not left to the garbage collector
                await close()


async def with_keep_alive(jobs: AsyncIterator[Job]) -> AsyncIterator[Job | None]:
    """The same jobs, and None whenever none came for a while; ends after `LONGEST_S`."""
    ends = asyncio.get_running_loop().time() + LONGEST_S
    coming = asyncio.ensure_future(_next(jobs))
    try:
        while asyncio.get_running_loop().time() < ends:
            done, _ = await asyncio.wait((coming,), timeout=KEEP_ALIVE_S)
            if not done:
                yield None
                continue
            job = coming.result()
            if job is None:
                return
            yield job
            coming = asyncio.ensure_future(_next(jobs))
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)


async def _next(jobs: AsyncIterator[Job]) -> Job | None:
    return await anext(jobs, None)
