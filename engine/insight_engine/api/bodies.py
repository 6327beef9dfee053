"""Reads JSON bodies strictly: nothing that two readers could read differently gets past this point."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from insight_engine.api.problems import bad_json


class BadJsonError(Exception):
    """The body cannot be taken; the message says why and what to do."""


class StrictRoute(APIRoute):
    """A route whose body is read by `read_json`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler, so that it reads the body in this way."""
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            try:
                # Read here, once: the request keeps what it has read.
                if body := await request.body():
                    request._json = read_json(body)  # noqa: SLF001 - where Request.json() keeps it
            except BadJsonError as error:
                return bad_json(str(error))
            return await handle(request)

        return strictly


def read_json(body: bytes) -> Any:
    """The document in a body.

    Raises:
        BadJsonError: it is no JSON (RFC 8259), is nested too deep, or names a key twice.
    """
    try:
        orjson.loads(body)  # refuses what Python's reader takes: NaN, lone surrogates, a byte order mark
        return json.loads(body, object_pairs_hook=_unique)
    except RecursionError:
        raise BadJsonError("The request body is nested too deep: it needs three levels.") from None
    except ValueError:
        raise BadJsonError("The request body is not JSON: check its quotes and commas.") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise BadJsonError("The request body names a key twice: name each once.")
    return found
