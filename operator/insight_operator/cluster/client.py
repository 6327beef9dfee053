"""The HTTP client of the API server: a handful of verbs over one session.

It speaks JSON, raises only `cluster.errors`, and neither retries nor caches: queue and store do.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp

from insight_operator import __version__
from insight_operator.cluster import errors, kinds
from insight_operator.cluster.kinds import Kind
from insight_operator.cluster.login import Login, TokenFile
from insight_operator.cluster.pulse import SILENCE_S
from insight_operator.snapshot import Manifest

CHILDREN_MANAGER = "insight-operator"
STATUS_MANAGER = "insight-status"

_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)
_WATCHING = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=SILENCE_S)
_DRY_RUN = {"dryRun": "All"}
_EVENTS_READ = 100
_APPLY = {"Content-Type": "application/apply-patch+yaml"}
_JSON = {"Content-Type": "application/json"}
_JSON_PATCH = {"Content-Type": "application/json-patch+json"}
_MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}


@dataclass(frozen=True, slots=True)
class Listing:
    """What a LIST returned, and the version of the store it shows."""

    items: tuple[Manifest, ...]
    resource_version: int


class Client:
    """Reads and writes of single objects. `on_write` is told verb and kind of every write that succeeded."""

    def __init__(
        self, login: Login, on_write: Callable[[str, str], None] = lambda _verb, _kind: None
    ) -> None:
        self.login = login
        self.session = open_session(login)
        self._on_write = on_write

    async def close(self) -> None:
        """Close the connections."""
        await self.session.close()

    async def get(self, kind: Kind, namespace: str, name: str, *, cached: bool = False) -> Manifest | None:
        """Return an object, or None. `cached` lets the API server answer from its memory."""
        query = {"resourceVersion": "0"} if cached else {}
        try:
            return await self._send("GET", kind.path(namespace, name), query)
        except errors.NotFound:
            return None

    async def list_all(self, kind: Kind, namespace: str, selector: str = "") -> Listing:
        """Return every object of a kind that carries the selector's labels, perhaps a moment old."""
        query = {"resourceVersion": "0"}
        if selector:
            query["labelSelector"] = selector
        found = await self._send("GET", kind.path(namespace), query)
        for item in found.get("items") or []:
            item.setdefault("kind", kind.kind)
            item.setdefault("apiVersion", kind.api_version)
        version = found.get("metadata", {}).get("resourceVersion") or "0"
        return Listing(tuple(found.get("items") or ()), int(version))

    async def watch(
        self, kind: Kind, namespace: str, selector: str, since: int
    ) -> AsyncIterator[tuple[str, Manifest]]:
        """Yield type and object of every event after a version, bookmarks included, until the server ends it.

        Raises:
            Outdated: the version is too old to go on from; list again.
            Unreachable: the connection broke, or nothing was heard for too long.
        """
        query = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": str(since)}
        if selector:
            query["labelSelector"] = selector
        path = kind.path(namespace)
        try:
            async with self.session.get(self._url(path), params=query, timeout=_WATCHING) as response:
                if response.status >= HTTPStatus.BAD_REQUEST:
                    raise self._refused("WATCH", path, response.status, await response.read())
                async for line in _lines(response.content):
                    yield _event(path, json.loads(line), kind)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise errors.Unreachable(f"WATCH {path}: {error!r}") from error

    async def answers(self) -> bool:
        """Tell whether the API server answers at all."""
        try:
            await self._send("GET", "/version", {})
        except errors.ClusterError:
            return False
        return True

    async def events_about(self, manifest: Manifest) -> Listing:
        """Return the Events about an object, whoever wrote them, in no order."""
        metadata = manifest["metadata"]
        fields = {"regarding.kind": manifest["kind"], "regarding.name": metadata["name"]}
        query = {
            "fieldSelector": ",".join(f"{field}={value}" for field, value in fields.items()),
            "limit": str(_EVENTS_READ),
        }
        found = await self._send("GET", kinds.EVENT.path(metadata["namespace"]), query)
        return Listing(tuple(found.get("items") or ()), 0)

    async def create(
        self, manifest: Manifest, manager: str = CHILDREN_MANAGER, *, dry_run: bool = False
    ) -> Manifest:
        """Create an object. Raises AlreadyExists, touching nothing, when there is one of that name."""
        kind = kinds.BY_KIND[manifest["kind"]]
        path = kind.path(manifest["metadata"]["namespace"])
        query = {"fieldManager": manager} | (_DRY_RUN if dry_run else {})
        made = await self._send("POST", path, query, manifest, _JSON)
        if not dry_run:
            self._on_write("create", kind.kind)
        return made

    async def apply(
        self,
        manifest: Manifest,
        manager: str = CHILDREN_MANAGER,
        subresource: str = "",
        *,
        dry_run: bool = False,
    ) -> Manifest:
        """Apply the whole intent by server-side apply, with force: what it names belongs to `manager`.

        With `dry_run` nothing is stored; what the API server would then show is returned all the same.
        """
        kind, metadata = kinds.BY_KIND[manifest["kind"]], manifest["metadata"]
        path = kind.path(metadata["namespace"], metadata["name"], subresource)
        query = {"fieldManager": manager, "force": "true"} | (_DRY_RUN if dry_run else {})
        applied = await self._send("PATCH", path, query, manifest, _APPLY)
        if not dry_run:
            self._on_write("apply", f"{kind.kind}/{subresource}" if subresource else kind.kind)
        return applied

    async def patch(self, manifest: Manifest, changes: list[Any] | dict[str, Any]) -> Manifest:
        """Change parts of the object that `manifest` names: a JSON patch (list) or a merge patch (dict)."""
        kind, metadata = kinds.BY_KIND[manifest["kind"]], manifest["metadata"]
        path = kind.path(metadata["namespace"], metadata["name"])
        headers = _JSON_PATCH if isinstance(changes, list) else _MERGE_PATCH
        patched = await self._send("PATCH", path, {"fieldManager": CHILDREN_MANAGER}, changes, headers)
        self._on_write("patch", kind.kind)
        return patched

    async def delete(self, manifest: Manifest) -> None:
        """Delete exactly this object: a later one of the same name is spared. Gone already is fine."""
        kind, metadata = kinds.BY_KIND[manifest["kind"]], manifest["metadata"]
        options = {"propagationPolicy": "Background", "preconditions": {"uid": metadata["uid"]}}
        try:
            await self._send("DELETE", kind.path(metadata["namespace"], metadata["name"]), {}, options, _JSON)
        except (errors.NotFound, errors.Outdated):
            return
        self._on_write("delete", kind.kind)

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Manifest:
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        try:
            async with self.session.request(
                method, self._url(path), params=query, data=data, headers=headers, timeout=_TIMEOUT
            ) as response:
                payload = await response.read()
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise errors.Unreachable(f"{method} {path}: {error!r}") from error
        if status >= HTTPStatus.BAD_REQUEST:
            raise self._refused(method, path, status, payload)
        answer: Manifest = json.loads(payload)
        return answer

    def _url(self, path: str) -> str:
        return self.login.server.rstrip("/") + path

    def _refused(self, method: str, path: str, status: int, payload: bytes) -> errors.ClusterError:
        if status == HTTPStatus.UNAUTHORIZED and isinstance(self.login.token, TokenFile):
            self.login.token.forget()
        return _refusal(method, path, status, payload)


def open_session(login: Login, *middlewares: aiohttp.ClientMiddlewareType) -> aiohttp.ClientSession:
    """Open a session, for our requests or for kopf's watch; each request looks the token up."""

    async def authorize(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if login.token is not None:
            request.headers["Authorization"] = f"Bearer {login.token()}"
        return await handler(request)

    connector = aiohttp.TCPConnector(limit=0, ssl=login.tls if login.tls is not None else True)
    agent = {"User-Agent": f"insight-operator/{__version__}"}
    return aiohttp.ClientSession(connector=connector, headers=agent, middlewares=(*middlewares, authorize))


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Yield line by line whatever their length; the reader's own lines are limited to 128 KiB."""
    rest = bytearray()
    async for piece in content.iter_any():
        rest += piece
        while (end := rest.find(b"\n")) >= 0:
            line = bytes(rest[:end])
            del rest[: end + 1]
            yield line


def _event(path: str, found: Manifest, kind: Kind) -> tuple[str, Manifest]:
    manifest: Manifest = found["object"]
    if found["type"] == "ERROR":
        code, reason = int(manifest.get("code") or 0), str(manifest.get("reason", ""))
        raise errors.from_status(code, reason, f"WATCH {path}: {manifest.get('message')}")
    manifest.setdefault("kind", kind.kind)
    manifest.setdefault("apiVersion", kind.api_version)
    return str(found["type"]), manifest


def _refusal(method: str, path: str, status: int, payload: bytes) -> errors.ClusterError:
    """Read the API server's Status object; it names fields and reasons, never the values of a Secret."""
    try:
        found = json.loads(payload)
        reason, message = str(found.get("reason", "")), str(found.get("message", ""))
    except (ValueError, AttributeError):
        reason, message = "", ""
    return errors.from_status(status, reason, f"{method} {path}: {message or status}")
