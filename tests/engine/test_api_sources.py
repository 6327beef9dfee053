"""Data sources: what they contain, judged and explained statements, and who may do what."""

from typing import Any

import httpx

from support.engines import Asked
from support.users import Users


def refused(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["code"]


def post(asked: Asked, path: str, **body: Any) -> httpx.Response:
    return asked.client.http.post(f"/api/v1/{path}", json=body)


def schema_of(asked: Asked) -> str:
    return "public" if asked.source == "sales" else "main"


def test_a_source_shows_its_tables_and_columns(asked: Asked) -> None:
    found = asked.client.http.get(f"/api/v1/datasources/{asked.source}/schema").json()
    orders = next(table for table in found["tables"] if table["name"] == "orders")
    assert orders["schema"] == schema_of(asked)
    assert {"id"} <= {column["name"] for column in orders["columns"]}
    assert found["found"] == len(found["tables"])
    assert found["fetched_at"]


def test_tables_can_be_searched_by_any_name_in_them(asked: Asked) -> None:
    def search(text: str, **more: Any) -> dict[str, Any]:
        path = f"/api/v1/datasources/{asked.source}/schema"
        return dict(asked.client.http.get(path, params={"search": text, **more}).json())

    assert [table["name"] for table in search("ORDER")["tables"]][:1] == ["orders"]
    assert "orders" in [table["name"] for table in search("id")["tables"]]
    assert search("no such name") == search("no such name") | {"tables": [], "found": 0}
    assert len(search("", limit=1)["tables"]) == 1


def test_one_table_is_found_by_its_full_name(asked: Asked) -> None:
    path = f"/api/v1/datasources/{asked.source}/tables"
    assert asked.client.http.get(f"{path}/{schema_of(asked)}.orders").json()["name"] == "orders"
    assert refused(asked.client.http.get(f"{path}/{schema_of(asked)}.missing")) == (404, "unknown_table")
    assert refused(asked.client.http.get(f"{path}/a/b")) == (404, "unknown_table")


def test_a_source_that_is_not_the_callers_is_unknown_everywhere(asked: Asked) -> None:
    for name in ("nowhere", "hidden", "%2e%2e"):
        for path in ("schema", "tables/public.orders"):
            answer = asked.client.http.get(f"/api/v1/datasources/{name}/{path}")
            assert refused(answer) == (404, "unknown_datasource"), (name, path)
        for path in ("refresh", "test"):
            answer = asked.client.http.post(f"/api/v1/datasources/{name}/{path}")
            assert refused(answer) == (404, "unknown_datasource"), (name, path)


def test_an_admin_may_refresh_and_test_a_source(asked: Asked) -> None:
    refreshed = asked.client.http.post(f"/api/v1/datasources/{asked.source}/refresh")
    assert (refreshed.status_code, refreshed.json()["tables"] >= 1) == (200, True)
    tested = asked.client.http.post(f"/api/v1/datasources/{asked.source}/test").json()
    assert set(tested) == {"version", "milliseconds", "warnings"}


def test_others_may_not(asked: Asked, users: Users) -> None:
    analyst = users.add("analyst")
    for path in ("refresh", "test"):
        answer = analyst.http.post(f"/api/v1/datasources/{asked.source}/{path}")
        assert refused(answer) == (403, "role_too_low")


def test_a_statement_is_judged_without_running(asked: Asked) -> None:
    good = post(asked, "sql/validate", datasource=asked.source, sql="SELECT id FROM orders").json()
    assert good == {"allowed": True, "reasons": [], "tables": [f"{schema_of(asked)}.orders"]}
    bad = post(asked, "sql/validate", datasource=asked.source, sql="DROP TABLE orders")
    assert (bad.status_code, bad.json()["allowed"]) == (200, False)
    assert {"code", "message", "line", "column"} == set(bad.json()["reasons"][0])


def test_a_statement_is_explained_without_running(asked: Asked) -> None:
    found = post(asked, "sql/explain", datasource=asked.source, sql="SELECT id FROM orders").json()
    assert "orders" in found["plan"]
    assert (found["allowed"], found["max_cost"]) == (True, None)
    if asked.source == "sales":
        assert found["cost"] > 0


def test_what_the_guard_refuses_is_not_explained(asked: Asked) -> None:
    answer = post(asked, "sql/explain", datasource=asked.source, sql="DELETE FROM orders")
    assert refused(answer) == (422, "sql_rejected")
