"""The process's metrics. In a service they are kept in files under the run folder, one set per process.

`prometheus_client` chooses that at import, so `runtime.prepare` must have run before this module is imported.
A gauge says how the values of several processes are joined; those of dead processes must not count.
`docs/engine-metrics.md` lists them; a test compares the two.
"""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

SHORT: Final = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
LONG: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)

REQUESTS = Counter("insight_http_requests_total", "Requests served", ["method", "route", "status"])
REQUEST_SECONDS = Histogram("insight_http_request_seconds", "Time to serve a request", ["route"])

QUERIES = Counter("insight_queries_finished_total", "Attempts that ended a query", ["state"])
QUERY_SECONDS = Histogram("insight_query_seconds", "Time from claim to end of a query", buckets=LONG)
QUEUE_SECONDS = Histogram("insight_query_queue_seconds", "Time from acceptance to first claim", buckets=SHORT)
DATABASE_SECONDS = Histogram(
    "insight_query_database_seconds", "Time that a query waited for its data source", buckets=LONG
)
FIRST_BATCH_SECONDS = Histogram(
    "insight_query_first_batch_seconds", "Time from claim to the first rows of the data source", buckets=SHORT
)
QUERY_ROWS = Counter("insight_query_rows_total", "Rows of results stored")
QUERY_BYTES = Counter("insight_query_bytes_total", "Bytes of results stored")
QUERIES_ACTIVE = Gauge(
    "insight_queries_active", "Queries that run in this pod now", multiprocess_mode="livesum"
)
QUERIES_SHARED = Counter(
    "insight_queries_shared_total", "Queries answered by the work of another one", ["how"]
)

CONTROL_REQUESTS = Counter(
    "insight_control_requests_total", "Schema, test, plan and cancel requests answered", ["kind", "outcome"]
)
CONTROL_SECONDS = Histogram(
    "insight_control_seconds", "Time a worker took to answer a control request", ["kind"], buckets=SHORT
)
