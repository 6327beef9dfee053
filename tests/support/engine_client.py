"""A small client of the engine's API, as an analyst's script would be."""

from typing import Any

import httpx


class EngineClient:
    """Logged in as one user."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=60)
        answer = self.http.post("/api/v1/auth/token", json={"username": username, "password": password})
        answer.raise_for_status()
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def submit(self, datasource: str, sql: str, wait_s: float = 20, **options: Any) -> httpx.Response:
        body = {"datasource": datasource, "sql": sql, "wait_s": wait_s, **options}
        return self.http.post("/api/v1/queries", json=body)

    def query(self, query_id: str) -> dict[str, Any]:
        return dict(self.http.get(f"/api/v1/queries/{query_id}").raise_for_status().json())

    def page(self, query_id: str, **params: Any) -> dict[str, Any]:
        answer = self.http.get(f"/api/v1/queries/{query_id}/results", params=params)
        return dict(answer.raise_for_status().json())

    def rows(self, datasource: str, sql: str) -> list[list[Any]]:
        answer = self.submit(datasource, sql)
        assert answer.status_code == 200, answer.text
        query = answer.json()
        assert query["state"] == "succeeded", query
        return list(self.page(query["id"])["rows"])

    def close(self) -> None:
        self.http.close()
