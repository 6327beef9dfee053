"""The life of a query as its caller sees it, the same on both engines."""

from uuid import uuid4

import pytest

from support.engines import Asked
from support.waiting import eventually


def test_a_query_that_ends_in_time_is_answered_at_once(asked: Asked) -> None:
    answer = asked.client.submit(asked.source, "SELECT 1 AS one, 'a' AS letter")
    assert answer.status_code == 200, answer.text
    query = answer.json()
    assert (query["state"], query["row_count"], query["attempt"], query["error"]) == ("succeeded", 1, 1, None)
    page = asked.client.page(query["id"])
    assert [column["name"] for column in page["schema"]] == ["one", "letter"]
    assert (page["rows"], page["next_cursor"], page["truncated"]) == ([[1, "a"]], None, False)


def test_a_query_that_nobody_waits_for_is_accepted_and_found_later(asked: Asked) -> None:
    answer = asked.client.submit(asked.source, "SELECT 2 AS two", wait_s=0)
    assert answer.status_code == 202
    query = answer.json()
    assert query["state"] in {"queued", "running"}
    assert answer.headers["location"] == f"/api/v1/queries/{query['id']}"
    eventually("the query succeeds", lambda: asked.client.query(query["id"])["state"] == "succeeded", 10)
    assert asked.client.page(query["id"])["rows"] == [[2]]


def test_pages_join_to_the_whole_result_in_order(asked: Asked) -> None:
    query = asked.client.submit(asked.source, asked.numbers).json()
    read, cursor = [], None
    while True:
        page = asked.client.page(query["id"], limit=7001 if asked.rows > 1000 else 301, cursor=cursor or "")
        read += [row[0] for row in page["rows"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert read == list(range(1, asked.rows + 1))


def test_a_row_limit_cuts_and_says_so(asked: Asked) -> None:
    query = asked.client.submit(asked.source, asked.numbers, row_limit=10).json()
    page = asked.client.page(query["id"])
    assert (len(page["rows"]), page["truncated"], page["row_count"]) == (10, True, 10)


def test_an_empty_result_has_columns(asked: Asked) -> None:
    query = asked.client.submit(asked.source, "SELECT id FROM orders WHERE id < 0").json()
    page = asked.client.page(query["id"])
    assert ([column["name"] for column in page["schema"]], page["rows"]) == (["id"], [])


def test_the_callers_correlation_id_comes_back_everywhere(asked: Asked) -> None:
    mine = f"test-{uuid4()}"
    body = {"datasource": asked.source, "sql": "SELECT 3"}
    answer = asked.client.http.post("/api/v1/queries", json=body, headers={"X-Correlation-ID": mine})
    assert answer.headers.get_list("x-correlation-id") == [mine]
    assert answer.json()["correlation_id"] == mine


@pytest.mark.parametrize("bad", ["short", "x" * 65, "new\u0009line-here", "semi;colon-here"])
def test_an_unusable_correlation_id_is_replaced(asked: Asked, bad: str) -> None:
    answer = asked.client.http.get("/version", headers={"X-Correlation-ID": bad})
    assert answer.headers["x-correlation-id"] != bad
    assert len(answer.headers["x-correlation-id"]) == 32


def test_the_sources_a_user_may_query_are_listed_without_addresses(asked: Asked) -> None:
    listed = asked.client.http.get("/api/v1/datasources").json()["datasources"]
    assert asked.source in [source["name"] for source in listed]
    assert "hidden" not in [source["name"] for source in listed]
    assert set(listed[0]) == {"name", "dialect", "schemas"}


OVERFLOW = "SELECT abs(-9223372036854775807 - id) FROM orders"


def test_a_failing_query_says_why(asked: Asked) -> None:
    answer = asked.client.submit(asked.source, OVERFLOW)
    query = answer.json()
    assert (answer.status_code, query["state"]) == (200, "failed")
    assert "out of range" in query["error"]["message"] or "overflow" in query["error"]["message"]


def test_a_result_of_a_failed_query_is_refused(asked: Asked) -> None:
    query = asked.client.submit(asked.source, OVERFLOW).json()
    answer = asked.client.http.get(f"/api/v1/queries/{query['id']}/results")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_result")


def test_a_query_over_its_time_is_ended(asked: Asked) -> None:
    heavy = "SELECT count(*) FROM orders a, orders b, orders c WHERE a.id + b.id + c.id = 7"
    query = asked.client.submit(asked.source, heavy, wait_s=20, timeout_s=0.5).json()
    assert query["state"] == "timed_out"
    assert "0.5 s" in query["error"]["message"]
