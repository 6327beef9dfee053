"""Results over HTTP: every form, pages, streams, files to keep, and what a caller has already."""

import csv
import io
import json
from typing import Any

import httpx
import pyarrow as pa
import pytest
from pyarrow import parquet

from support.engines import Asked, Service

FORMS = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}


@pytest.fixture(scope="module")
def results(asked: Asked) -> str:
    query = asked.client.submit(asked.source, asked.numbers).json()
    return f"/api/v1/queries/{query['id']}/results"


def get(asked: Asked, path: str, headers: dict[str, str] | None = None, **params: Any) -> httpx.Response:
    given = {key: str(value) for key, value in params.items()}
    return asked.client.http.get(path, params=given, headers=headers)


def numbers(form: str, body: bytes) -> list[Any]:
    if form == "json":
        return [row[0] for row in json.loads(body)["rows"]]
    if form == "ndjson":
        return [json.loads(line)["id"] for line in body.splitlines()]
    if form == "csv":
        return [int(row[0]) for row in list(csv.reader(io.StringIO(body.decode())))[1:]]
    if form == "arrow":
        return list(pa.ipc.open_stream(body).read_all()["id"].to_pylist())
    return list(parquet.read_table(io.BytesIO(body))["id"].to_pylist())


@pytest.mark.parametrize("form", ["ndjson", "csv", "arrow", "parquet"])
def test_every_form_but_json_comes_whole(asked: Asked, results: str, form: str) -> None:
    answer = get(asked, results, format=form)
    assert (answer.status_code, answer.headers["content-type"]) == (200, FORMS[form])
    assert numbers(form, answer.content) == list(range(1, asked.rows + 1))


@pytest.mark.parametrize("form", list(FORMS))
def test_every_form_can_be_paged(asked: Asked, results: str, form: str) -> None:
    read, cursor = [], ""
    while True:
        more: dict[str, Any] = {"cursor": cursor} if cursor else {}
        answer = get(asked, results, format=form, limit=7001 if asked.rows > 1000 else 301, **more)
        read += numbers(form, answer.content)
        if (cursor := answer.headers.get("next-cursor", "")) == "":
            break
    assert read == list(range(1, asked.rows + 1))


@pytest.mark.parametrize("form", ["ndjson", "csv", "arrow", "parquet"])
def test_a_stream_may_begin_at_a_cursor(asked: Asked, results: str, form: str) -> None:
    cursor = get(asked, results, limit=100).json()["next_cursor"]
    found = numbers(form, get(asked, results, format=form, cursor=cursor).content)
    assert found == list(range(101, asked.rows + 1))


@pytest.mark.parametrize("form", list(FORMS))
def test_any_form_can_be_exported_as_a_file(asked: Asked, results: str, form: str) -> None:
    answer = get(asked, results.replace("results", "export"), format=form)
    assert answer.headers["content-type"] == FORMS[form]
    assert answer.headers["content-disposition"].endswith(f'.{form}"')
    assert numbers(form, answer.content) == list(range(1, asked.rows + 1))


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("*/*", "json"),
        ("application/json", "json"),
        ("text/csv", "csv"),
        ("application/x-ndjson", "ndjson"),
        ("application/vnd.apache.arrow.stream", "arrow"),
        ("application/vnd.apache.parquet", "parquet"),
        ("text/html, application/json;q=0.5, text/csv;q=0.9", "csv"),
        ("text/csv;q=0, */*;q=0.1", "json"),
    ],
)
def test_accept_chooses_the_form(asked: Asked, results: str, accept: str, form: str) -> None:
    answer = get(asked, results, {"Accept": accept}, limit=1)
    assert answer.headers["content-type"] == FORMS[form]


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "nonsense", "text/csv;q=x"])
def test_a_form_that_there_is_not_is_refused(asked: Asked, results: str, accept: str) -> None:
    answer = get(asked, results, {"Accept": accept})
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
    assert "text/csv" in answer.json()["detail"]


def test_an_unknown_format_is_a_bad_field(asked: Asked, results: str) -> None:
    assert get(asked, results, format="xlsx").status_code == 422


@pytest.mark.parametrize("params", [{}, {"format": "csv"}, {"format": "arrow", "limit": "5"}])
def test_what_the_caller_has_is_not_sent_again(asked: Asked, results: str, params: dict[str, Any]) -> None:
    first = get(asked, results, **params)
    tag = first.headers["etag"]
    for known in (tag, f'"other", W/{tag}', "*"):
        again = get(asked, results, {"If-None-Match": known}, **params)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert get(asked, results, {"If-None-Match": '"other"'}, **params).status_code == 200


def test_each_form_and_page_has_a_tag_of_its_own(asked: Asked, results: str) -> None:
    asks: list[dict[str, Any]] = [
        {},
        {"format": "csv"},
        {"format": "csv", "limit": 5},
        {"limit": 5},
        {"limit": 5, "cursor": "MC41"},
    ]
    assert len({get(asked, results, **ask).headers["etag"] for ask in asks}) == len(asks)


def test_a_cursor_past_the_end_reads_nothing_but_the_columns(asked: Asked, results: str) -> None:
    page = get(asked, results, cursor="OTk5LjA").json()  # 999.0
    assert ([column["name"] for column in page["schema"]], page["rows"]) == (["id"], [])


def test_values_that_spreadsheets_would_run_are_harmless_in_csv_alone(asked: Asked) -> None:
    query = asked.client.submit(asked.source, "SELECT '=1+1' AS a, -1 AS b, NULL AS c, '' AS d").json()
    path = f"/api/v1/queries/{query['id']}/results"
    assert get(asked, path, format="csv").text == '"a","b","c","d"\n"\'=1+1",-1,,""\n'
    assert get(asked, path).json()["rows"] == [["=1+1", -1, None, ""]]


def test_numbers_beyond_what_json_readers_hold_are_text(asked: Asked) -> None:
    query = asked.client.submit(
        asked.source, "SELECT 9007199254740993 AS big, 9007199254740991 AS small"
    ).json()
    assert asked.client.page(query["id"])["rows"] == [["9007199254740993", 9007199254740991]]


def test_a_running_query_has_no_result_yet(asked: Asked) -> None:
    slow = "SELECT count(*) FROM orders a, orders b, orders c WHERE a.id + b.id + c.id = 8"
    query = asked.client.submit(asked.source, slow, wait_s=0, timeout_s=3).json()
    answer = get(asked, f"/api/v1/queries/{query['id']}/export")
    assert (answer.status_code, answer.json()["code"]) == (409, "not_finished")
    asked.client.http.post(f"/api/v1/queries/{query['id']}/cancel")
    answer = get(asked, f"/api/v1/queries/{query['id']}/results", format="csv")
    assert (answer.status_code, answer.json()["code"]) == (409, "no_result")


def test_the_first_rows_of_a_running_query_are_read_while_it_goes_on(service: Service) -> None:
    """Of PostgreSQL: SQLite tells no types of columns before it has read all rows once."""
    client = service.home.client()
    asked = Asked(client, "sales", 0, "")
    endless = "SELECT a.id FROM orders a, orders b, orders c WHERE a.id > 0"
    query = client.submit("sales", endless, wait_s=0, row_limit=10_000_000, byte_limit=2**32).json()
    path = f"/api/v1/queries/{query['id']}/results"
    first = get(asked, path, limit=100, wait_s=60)
    page = first.json()
    assert (first.status_code, len(page["rows"]), page["complete"]) == (200, 100, False)
    assert (first.headers["cache-control"], "etag" in first.headers) == ("no-store", False)
    assert first.headers["next-cursor"] == page["next_cursor"]
    more = get(asked, path, {"If-None-Match": "*"}, limit=100, cursor=page["next_cursor"])
    assert (more.status_code, len(more.json()["rows"]), more.json()["complete"]) == (200, 100, False)
    for form in ("csv", "arrow", "parquet", "ndjson"):
        for whole in (path, path.replace("results", "export")):
            answer = get(asked, whole, format=form)
            assert (answer.status_code, answer.json()["code"]) == (409, "not_finished")
    cancelled = client.http.post(f"/api/v1/queries/{query['id']}/cancel")
    assert cancelled.json()["state"] == "cancelled"
    over = get(asked, path, cursor=page["next_cursor"])
    assert (over.status_code, over.json()["code"]) == (409, "no_result")
    client.close()
