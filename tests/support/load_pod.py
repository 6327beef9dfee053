"""Asks an engine questions from inside the cluster, as its users' programs do, until it is told to stop.

Runs in a pod of the engine image, on the standard library alone: `python load_pod.py URL PASSWORD_FILE`.
At SIGTERM it lets what is under way end and prints one JSON object: how many questions were asked, which of
them failed, how often a broken connection was tried once more, and how often "come again" (503 with
Retry-After) was heeded, both with the same Idempotency-Key.
"""

import json
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any

PER_SECOND = 5
SQL, EXPECTED = "SELECT count(*) FROM orders", [[1000]]


class Load:
    """The questions asked so far.

    Attributes:
        asked: how many have ended, well or not.
        retried: how many needed a second connection.
        put_off: how many were told to come again, and did.
        slowest_s: seconds of the slowest one.
        failures: what went wrong, a line each.
    """

    def __init__(self, url: str, password: str) -> None:
        self.asked = self.retried = self.put_off = 0
        self.slowest_s = 0.0
        self.failures: list[str] = []
        self._url, self._lock = url, threading.Lock()
        body = {"username": "admin", "password": password}
        self._token = self._call("/auth/token", body, {})["access_token"]

    def ask(self) -> None:
        """Submit one query, wait for it and read its rows."""
        started, problem = time.monotonic(), ""
        key = {"Idempotency-Key": uuid.uuid4().hex, "Authorization": f"Bearer {self._token}"}
        try:
            query = self._call("/queries", {"datasource": "sales", "sql": SQL, "wait_s": 30}, key)
            rows = self._call(f"/queries/{query['id']}/results", None, key)["rows"]
            problem = "" if rows == EXPECTED else f"rows {rows}"
        except urllib.error.HTTPError as error:
            problem = f"{error.code} {error.read().decode(errors='replace')[:300]}"
        except (OSError, HTTPException, KeyError, ValueError) as error:
            problem = repr(error)
        with self._lock:
            self.asked += 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - started)
            if problem:
                self.failures.append(f"{time.strftime('%H:%M:%S')} {problem}")

    def _call(self, path: str, body: Any, headers: dict[str, str]) -> Any:
        """Return the answer; a broken connection is tried once more, and so is "come again"."""
        request = urllib.request.Request(
            f"{self._url}/api/v1{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **headers},
        )
        try:
            return self._answer(request)
        except urllib.error.HTTPError as error:
            after_s = error.headers.get("Retry-After")
            if error.code != HTTPStatus.SERVICE_UNAVAILABLE or after_s is None:
                raise
            with self._lock:
                self.put_off += 1
            time.sleep(float(after_s))
            return self._answer(request)
        except (OSError, HTTPException):
            with self._lock:
                self.retried += 1
            return self._answer(request)

    @staticmethod
    def _answer(request: urllib.request.Request) -> Any:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


def main(url: str, password_file: str) -> None:
    """Ask at a steady pace, whatever the answers take, until SIGTERM."""
    load, stop = Load(url, Path(password_file).read_text()), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    print("asking", flush=True)
    threads, due = [], time.monotonic()
    while not stop.wait(max(0.0, due - time.monotonic())):
        threads.append(threading.Thread(target=load.ask))
        threads[-1].start()
        due += 1 / PER_SECOND
    for thread in threads:
        thread.join()
    counts = {"asked": load.asked, "retried": load.retried, "put_off": load.put_off}
    slowest_s = round(load.slowest_s, 2)
    print(json.dumps({**counts, "slowest_s": slowest_s, "failures": load.failures}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
