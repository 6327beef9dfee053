"""gunicorn's ASGI worker, leaving promptly: at a stop it closes the connections on which no request runs.

The application hears of it first, and answers those who wait for a query.

gunicorn 27.0 counts an idle keep-alive connection as work in flight and waits for it until its graceful
timeout, so a load balancer's idle connections would hold every rollout up by that long.
"""

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, Final
from weakref import WeakSet

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers import gasgi

CLOSE_EVERY_S: Final = 0.1


class TrackedProtocol(ASGIProtocol):  # type: ignore[misc]
    """A connection that can be found again."""

    connections: ClassVar["WeakSet[TrackedProtocol]"] = WeakSet()

    def connection_made(self, transport: Any) -> None:
        """Remember the connection."""
        super().connection_made(transport)
        self.connections.add(self)

    def close_if_idle(self) -> None:
        """Close it unless a request is being read or served."""
        if self._awaiting_request:
            self._keepalive_timeout()


class PromptWorker(gasgi.ASGIWorker):  # type: ignore[misc]
    """The worker class to give to gunicorn."""

    _leaving: ClassVar[list[Callable[[], None]]] = []

    @classmethod
    def on_leaving(cls, call: Callable[[], None]) -> None:
        """Have this called, on the event loop, as soon as the process is told to stop."""
        cls._leaving.append(call)

    def handle_exit_signal(self) -> None:
        """Stop, and tell requests that wait for something to answer now: SIGTERM."""
        super().handle_exit_signal()
        for call in self._leaving:
            call()

    async def _shutdown(self) -> None:
        leave = getattr(self.asgi, "leave", None)
        if leave is not None:  # gunicorn puts another application there when ours could not be loaded
            leave()
        closing = asyncio.ensure_future(_close_idle())
        try:
            await super()._shutdown()
        finally:
            closing.cancel()


async def _close_idle() -> None:
    while True:
        for connection in list(TrackedProtocol.connections):
            connection.close_if_idle()
        await asyncio.sleep(CLOSE_EVERY_S)


gasgi.ASGIProtocol = TrackedProtocol  # the worker makes its connections by this name
