"""Results in an S3-compatible store, by one client with bounded time and retries, addressed by path."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import urlsplit

from insight_engine.adapters.config.secrets import Watched, read_set, require, stamp
from insight_engine.adapters.results import away, is_older, result_folder, written_key
from insight_engine.domain.errors import ConfigurationError
from insight_engine.domain.jobs import Attempt, Job
from insight_engine.telemetry import get_logger

if TYPE_CHECKING:
    from obstore.store import S3Store

SECRET_SET: Final = "results"  # noqa: S105 - the name of a folder
KEYS: Final = ("endpoint", "bucket", "region", "access_key_id", "secret_access_key")
CONNECT_S: Final = 2
REQUEST_S: Final = 5
RETRIES: Final = 2
CALL_S: Final = 10.0
"""Seconds that one chunk may take, retries included, before the store counts as away."""
LISTED: Final = 500
"""Objects listed and deleted at a time."""


@dataclass(frozen=True, slots=True)
class S3Login:
    """Where the bucket is and as whom."""

    endpoint: str
    bucket: str
    region: str
    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    prefix: str = ""


def s3_login(root: Path) -> S3Login:
    """The login of the secret set `results`.

    Raises:
        ConfigurationError: the set is missing, incomplete, or its endpoint is no address.
    """
    secret = require(read_set(root, SECRET_SET), SECRET_SET, KEYS)
    split = urlsplit(secret["endpoint"])
    # Plain HTTP is taken only where it is written: there is no default to fall back to.
    if split.scheme not in {"http", "https"} or not split.hostname or split.username or split.query:
        raise ConfigurationError(
            "secret_invalid",
            f"Secret set {SECRET_SET}: endpoint must be https://host[:port], or http://… for a store without "
            "TLS, with no login in it",
        )
    values = {key: secret[key] for key in KEYS}
    return S3Login(**values, prefix=secret.get("prefix", "").strip("/"))


class S3Chunks:
    """Result chunks as objects below `prefix/day/query/attempt/`."""

    name: ClassVar = "s3"
    transactional: ClassVar = False

    def __init__(self, store: "Callable[[], S3Store]") -> None:
        self._store = store

    async def prepare(self, bucket: date) -> None:
        """Nothing to do: a key needs no folder."""

    async def put(self, attempt: Attempt, seq: int, data: bytes, rows: int) -> None:
        """Store one chunk."""
        del rows
        async with _bounded():
            await self._store().put_async(written_key(attempt, seq), data, use_multipart=False)

    async def get(self, job: Job, seq: int) -> bytes | None:
        """Read one chunk; None when it is lost."""
        async with _bounded():
            try:
                found = await self._store().get_async(f"{result_folder(job)}/{seq}")
                return bytes(await found.bytes_async())
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):  # a wrong name in the secret has lost nothing
                    raise
                return None

    async def count(self, job: Job) -> int:
        """How many chunks of its result there are."""
        async with _bounded():
            return len(await self._store().list(prefix=result_folder(job)).collect_async())

    async def drop_expired(self, *, keep_days: int) -> None:
        """Delete results that no page can ask for any more, a bounded number at a time."""
        oldest = datetime.now(UTC).date() - timedelta(days=keep_days)
        async with _bounded():
            days: Mapping[str, Any] = await self._store().list_with_delimiter_async()
        for day in days["common_prefixes"]:
            if is_older(day, oldest):
                await self._drop(day)

    async def _drop(self, day: str) -> None:
        listing = aiter(self._store().list(prefix=day, chunk_size=LISTED))
        while True:
            async with _bounded():
                try:
                    listed = await anext(listing)
                except StopAsyncIteration:
                    return
                await self._store().delete_async([entry["path"] for entry in listed])


def watched_store(root: Path) -> "Callable[[], S3Store]":
    """The client for the secret set as it is now: a rotated key needs no restart.

    Raises:
        ConfigurationError: see `s3_login`.
    """
    return Watched(lambda: stamp(root, SECRET_SET), lambda: open_store(s3_login(root)), _keep_the_last).get


def _keep_the_last(error: ConfigurationError) -> None:
    get_logger("results").error("Kept the login of the store of results", reason=error.message)


def open_store(login: S3Login) -> "S3Store":
    """A client; connects at first use."""
    from obstore.store import S3Store

    return S3Store(
        login.bucket,
        prefix=login.prefix or None,
        endpoint=login.endpoint,
        region=login.region,
        access_key_id=login.access_key_id,
        secret_access_key=login.secret_access_key,
        virtual_hosted_style_request=False,
        client_options={
            "allow_http": login.endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=CONNECT_S),
            "timeout": timedelta(seconds=REQUEST_S),
        },
        retry_config={
            "max_retries": RETRIES,
            "retry_timeout": timedelta(seconds=CALL_S),
            "backoff": {
                "base": 2,
                "init_backoff": timedelta(milliseconds=100),
                "max_backoff": timedelta(seconds=1),
            },
        },
    )


@asynccontextmanager
async def _bounded() -> AsyncIterator[None]:
    """Turn whatever the client fails with, and its silence, into one answer.

    Raises:
        Unavailable: the store does not answer, or does not let us in.
    """
    from obstore.exceptions import BaseError

    try:
        async with asyncio.timeout(CALL_S):
            yield
    except (BaseError, OSError) as error:  # the client's time-outs and missing objects are OSErrors
        # The first line only: what follows holds the whole request.
        reason = str(error).partition("\n")[0][:300]
        get_logger("results").warning("Could not use the store of results", reason=reason)
        raise away() from error
