"""A real S3-compatible server for tests: moto in a process of its own, so that it can be killed."""

import subprocess
import sys
from typing import Self

import httpx
from obstore.store import S3Store

from support.servers import free_port
from support.waiting import eventually

KEY = "test-key-id"
SECRET = "test-secret-key"


class S3Server:
    """One server with one bucket."""

    bucket = "results"

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it empty: it keeps objects in memory."""
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually("the S3 server makes a bucket", self._make_bucket, within_s=30, every_s=0.1)

    def _make_bucket(self) -> bool:
        try:
            return httpx.put(f"{self.endpoint}/{self.bucket}", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def secret(self, **changes: str) -> dict[str, str]:
        """Return the files of the secret set `results`."""
        files = {"endpoint": self.endpoint, "bucket": self.bucket, "region": "us-east-1"}
        return files | {"access_key_id": KEY, "secret_access_key": SECRET} | changes

    def stored(self) -> list[str]:
        listing = httpx.get(f"{self.endpoint}/{self.bucket}?list-type=2", timeout=5).text
        return [part.partition("</Key>")[0] for part in listing.split("<Key>")[1:]]

    def delete(self, key: str) -> None:
        store = S3Store(
            self.bucket,
            endpoint=self.endpoint,
            region="us-east-1",
            access_key_id=KEY,
            secret_access_key=SECRET,
            client_options={"allow_http": True},
        )
        store.delete(key)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
