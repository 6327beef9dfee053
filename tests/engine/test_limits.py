"""Caps on a query, and what it is told about where its time and its rows went."""

import httpx
import psycopg
import pytest

from support.engines import READER_PASSWORD, SALES, SECRET_SALES, Asked, Service
from support.waiting import eventually

THRIFTY = {
    **SALES,
    "name": "thrifty",
    "grants": {"admin": {"max_cost": 5000.0}},
}


@pytest.fixture(scope="module")
def thrifty(service: Service) -> Service:
    """The service with a source whose admins may spend little."""
    server = {"host": "127.0.0.1", "port": str(service.postgres.port), "dbname": "sales"}
    service.home.put("source-thrifty", **server, username="sales_reader", password=READER_PASSWORD)
    with psycopg.connect(service.postgres.admin_uri("sales"), autocommit=True) as admin:
        admin.execute("ANALYZE orders")
    service.home.put_sources(SALES, SECRET_SALES, THRIFTY)
    client = service.home.client()

    def asked() -> bool:
        answer = client.submit("thrifty", "SELECT 1")
        return answer.status_code == httpx.codes.OK and answer.json()["state"] == "succeeded"

    eventually("API and worker know it", asked, 60)
    return service


def test_a_query_that_costs_too_much_for_the_role_is_not_run(thrifty: Service) -> None:
    client = thrifty.home.client()
    query = client.submit("thrifty", "SELECT count(*) FROM orders a, orders b").json()
    assert (query["state"], query["error"]["code"]) == ("rejected", "cost_too_high")
    assert "5000" in query["error"]["message"]


def test_a_cheap_query_runs_in_spite_of_a_cap(thrifty: Service) -> None:
    assert thrifty.home.client().rows("thrifty", "SELECT count(*) FROM orders") == [[50000]]


def test_a_source_without_a_cap_knows_no_costs(thrifty: Service) -> None:
    sql = "SELECT count(*) FROM orders a, orders b WHERE a.id = b.id"
    assert thrifty.home.client().rows("sales", sql) == [[50000]]


def test_a_byte_limit_cuts_and_says_so(asked: Asked) -> None:
    query = asked.client.submit(asked.source, asked.numbers, byte_limit=4096).json()
    page = asked.client.page(query["id"])
    assert page["truncated"]
    assert 0 < page["row_count"] <= 512
    assert [row[0] for row in page["rows"]] == list(range(1, page["row_count"] + 1))


def test_a_row_limit_of_exactly_the_rows_is_no_cut(asked: Asked) -> None:
    query = asked.client.submit(asked.source, asked.numbers, row_limit=asked.rows).json()
    assert (query["row_count"], query["truncated"]) == (asked.rows, False)


def test_a_query_says_where_its_time_went(asked: Asked) -> None:
    query = asked.client.submit(asked.source, "SELECT 31 AS n").json()
    for name in ("queue_ms", "database_ms", "first_batch_ms"):
        assert 0 <= query[name] < 60_000, name
    assert query["cancel_ms"] is None


def test_an_earlier_result_is_shared_when_it_is_young_enough(asked: Asked) -> None:
    sql = "SELECT count(*) AS shared FROM orders"
    first = asked.client.submit(asked.source, sql).json()
    again = asked.client.submit(asked.source, sql, max_age_s=3600)
    assert (again.status_code, again.json()["cached"]) == (200, True)
    assert again.json()["id"] != first["id"]
    assert asked.client.page(again.json()["id"])["rows"] == asked.client.page(first["id"])["rows"]
    assert not asked.client.submit(asked.source, sql).json()["cached"]
    assert not asked.client.submit(asked.source, sql, max_age_s=3600, row_limit=7).json()["cached"]


def test_parameters_of_one_query_do_not_answer_another(asked: Asked) -> None:
    sql = f"SELECT id FROM orders WHERE id = {'?' if asked.source == 'sample' else '$1'}"
    for number in (3, 4):
        query = asked.client.submit(asked.source, sql, parameters=[number], max_age_s=3600).json()
        assert query["state"] == "succeeded", query
        assert asked.client.page(query["id"])["rows"] == [[number]]


def test_parameters_without_measure_are_refused(asked: Asked) -> None:
    answer = asked.client.submit(asked.source, "SELECT 1", parameters=["x" * 70_000])
    assert (answer.status_code, answer.json()["code"]) == (413, "parameters_too_long")


def test_a_number_that_the_database_cannot_hold_fails_the_query(asked: Asked) -> None:
    sql = f"SELECT id FROM orders WHERE id = {'?' if asked.source == 'sample' else '$1'}"
    answer = asked.client.submit(asked.source, sql, parameters=[2**70])
    if answer.status_code == 200:
        query = answer.json()
        assert query["state"] in {"succeeded", "failed"}
        assert (query["error"] or {}).get("code") in {None, "query_failed"}
    else:
        assert answer.status_code in {400, 422}, answer.text
