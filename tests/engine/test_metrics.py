"""What is counted, scraped from the pods of a real service after real queries."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

from support.engines import Service
from support.waiting import eventually

ENDLESS = "SELECT count(*) FROM orders a, orders b, orders c WHERE a.id + b.id + c.id = {}"


def scraped(port: int) -> dict[str, float]:
    """Samples by name and labels, as `name{label=value,…}`."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).raise_for_status().text
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def worker(service: Service) -> dict[str, float]:
    return scraped(service.home.worker_internal)


def test_a_query_s_work_is_counted(service: Service) -> None:
    client = service.home.client()
    assert client.rows("sales", "SELECT 1") == [[1]]  # so that every file is there
    before = worker(service)
    answer = client.submit("sales", "SELECT id, amount FROM orders WHERE id <= 1234").json()
    assert answer["state"] == "succeeded"
    after = worker(service)

    def grew(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert grew("insight_queries_finished_total{state=succeeded}") == 1
    assert grew("insight_query_rows_total") == 1234
    assert grew("insight_query_bytes_total") > 1234
    for histogram in ("query", "query_queue", "query_database", "query_first_batch"):
        assert grew(f"insight_{histogram}_seconds_count") == 1, histogram
        assert 0 <= grew(f"insight_{histogram}_seconds_sum") < 20, histogram
    assert grew("insight_query_database_seconds_sum") <= grew("insight_query_seconds_sum")


def test_requests_are_counted_by_the_api(service: Service) -> None:
    client = service.home.client()
    name = "insight_http_requests_total{method=GET,route=/api/v1/datasources,status=200}"
    before = scraped(service.home.api_internal).get(name, 0)
    client.http.get("/api/v1/datasources").raise_for_status()
    assert scraped(service.home.api_internal)[name] == before + 1


def test_what_runs_is_counted_while_it_does_and_not_after_a_kill(service: Service) -> None:
    client = service.home.client()
    query = client.submit("sales", ENDLESS.format(-1), wait_s=0, timeout_s=100).json()
    eventually("it runs", lambda: worker(service).get("insight_queries_active") == 1, 20)
    busy = eventually("it says so", lambda: [w for w in service.home.load()["workers"] if w["busy"]], 10)
    next(p for p in service.worker.children() if p.pid == busy[0]["pid"]).kill()
    eventually("the killed process is not counted", lambda: worker(service)["insight_queries_active"] == 0, 5)
    client.http.post(f"/api/v1/queries/{query['id']}/cancel")
    eventually("it ended", lambda: client.query(query["id"])["state"] == "cancelled", 30)
    control = "insight_control_requests_total{kind=cancel,outcome=ok}"
    eventually("the cancel is counted", lambda: worker(service).get(control, 0) >= 1, 5)
    assert worker(service)["insight_control_seconds_count{kind=cancel}"] >= 1


def test_counts_survive_the_process_that_made_them(service: Service) -> None:
    service.home.client().rows("sales", "SELECT 7")
    before = worker(service)["insight_queries_finished_total{state=succeeded}"]
    for process in service.worker.children():
        process.kill()
    eventually("new ones came", lambda: service.home.load()["slots"] == 2, 30)
    assert worker(service)["insight_queries_finished_total{state=succeeded}"] >= before
