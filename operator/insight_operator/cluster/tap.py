"""Listens in on the session that kopf watches through: it tells handlers neither of bookmarks nor of lists.

A list after the first means that a watch was lost: what was deleted meanwhile gives no event.
"""

from collections.abc import AsyncIterator, Callable
from http import HTTPStatus
from typing import Any

import aiohttp

from insight_operator.cluster.kinds import Kind
from insight_operator.cluster.pulse import Pulse


class Tap:
    """A middleware of the session that watches one kind.

    Args:
        kind: what is watched.
        pulse: is told of every sign of life.
        on_relist: is told the namespace, empty for all, when the watch begins anew after an earlier list.
    """

    def __init__(self, kind: Kind, pulse: Pulse, on_relist: Callable[[str], None]) -> None:
        self._kind = kind
        self._pulse = pulse
        self._on_relist = on_relist
        self._listed: set[str] = set()

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Pass a request on and take note of the answer."""
        response = await handler(request)
        path = request.url.path
        if not path.endswith(f"/{self._kind.plural}"):
            return response
        namespace = path.split("/namespaces/")[1].split("/")[0] if "/namespaces/" in path else ""
        if response.status == HTTPStatus.FORBIDDEN:
            self._pulse.excused(self._kind.kind, namespace)
        elif response.ok and "watch" in request.url.query:
            self._hear(namespace)
            heard: Any = _Heard(response.content, lambda: self._hear(namespace))
            response.content = heard
        elif response.ok:
            self._hear(namespace)
            if namespace in self._listed:
                self._on_relist(namespace)
            self._listed.add(namespace)
        return response

    def _hear(self, namespace: str) -> None:
        self._pulse.heard(self._kind.kind, namespace)


class _Heard:
    """A stream that tells of each piece it gives."""

    def __init__(self, content: aiohttp.StreamReader, heard: Callable[[], None]) -> None:
        self._content = content
        self._heard = heard

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        async for piece in self._content.iter_chunked(size):
            self._heard()
            yield piece

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)
