"""A client that costs next to nothing: on two cores measuring must not take the measured one's processor."""

import http.client
import json
from typing import Any


class Client:
    """One kept connection of one user."""

    def __init__(self, port: int, token: str | None = None, timeout_s: float = 120) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> http.client.HTTPResponse:
        """One request; the answer is not read yet."""
        data = None if body is None else json.dumps(body).encode()
        sent = {**self._headers, **headers} | ({"Content-Type": "application/json"} if data else {})
        self._connection.request(method, path, data, sent)
        return self._connection.getresponse()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        """One request and its whole answer."""
        answer = self.send(method, path, body, **headers)
        return answer.status, answer.read()

    def json(self, method: str, path: str, body: Any = None, expect: tuple[int, ...] = (200,)) -> Any:
        """One request and its answer's JSON."""
        status, text = self.ask(method, path, body)
        if status not in expect:
            raise RuntimeError(f"{method} {path}: {status} {text[:300]!r}")
        return json.loads(text)

    def query(self, sql: str, **options: Any) -> Any:
        """Run a query to its end; what the engine says of it."""
        body = {"datasource": "sales", "sql": sql, "wait_s": 60, **options}
        return self.json("POST", "/api/v1/queries", body)

    def rows(self, sql: str) -> Any:
        """Run a query; the first page of its rows."""
        query = self.query(sql)
        if query["state"] != "succeeded":
            raise RuntimeError(str(query))
        return self.json("GET", f"/api/v1/queries/{query['id']}/results")["rows"]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
