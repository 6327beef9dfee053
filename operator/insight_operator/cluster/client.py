"""The HTTP client of the API server: a handful of verbs over one session.

It speaks JSON, raises only `cluster.errors`, and neither retries nor caches: queue and store do.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp

from insight_operator import __version__
from insight_operator.cluster import errors, kinds
from insight_operator.cluster.kinds import Kind
from insight_operator.cluster.login import Login, TokenFile
from insight_operator.snapshot import Manifest

CHILDREN_MANAGER = "insight-operator"
STATUS_MANAGER = "insight-status"

_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)
_DRY_RUN = {"dryRun": "All"}
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
        url = self.login.server.rstrip("/") + path
        try:
            async with self.session.request(
                method, url, params=query, data=data, headers=headers, timeout=_TIMEOUT
            ) as response:
                payload = await response.read()
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise errors.Unreachable(f"{method} {path}: {error!r}") from error
        if status == HTTPStatus.UNAUTHORIZED and isinstance(self.login.token, TokenFile):
            self.login.token.forget()
        if status >= HTTPStatus.BAD_REQUEST:
            raise _refusal(method, path, status, payload)
        answer: Manifest = json.loads(payload)
        return answer


def open_session(login: Login) -> aiohttp.ClientSession:
    """Open a session, for our requests or for kopf's watches; each request looks the token up."""

    async def authorize(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        if login.token is not None:
            request.headers["Authorization"] = f"Bearer {login.token()}"
        return await handler(request)

    connector = aiohttp.TCPConnector(limit=0, ssl=login.tls if login.tls is not None else True)
    agent = {"User-Agent": f"insight-operator/{__version__}"}
    return aiohttp.ClientSession(connector=connector, headers=agent, middlewares=(authorize,))


def _refusal(method: str, path: str, status: int, payload: bytes) -> errors.ClusterError:
    """Read the API server's Status object; it names fields and reasons, never the values of a Secret."""
    try:
        found = json.loads(payload)
        reason, message = str(found.get("reason", "")), str(found.get("message", ""))
    except (ValueError, AttributeError):
        reason, message = "", ""
    return errors.from_status(status, reason, f"{method} {path}: {message or status}")
