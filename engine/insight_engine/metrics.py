"""The process's metrics. In a service they are kept in files under the run folder, one set per process.

`prometheus_client` chooses that at import, so `runtime.prepare` must have run before this module is imported.
"""

from prometheus_client import Counter, Histogram

REQUESTS = Counter("insight_http_requests_total", "Requests served", ["method", "route", "status"])
REQUEST_SECONDS = Histogram("insight_http_request_seconds", "Time to serve a request", ["route"])
QUERIES = Counter("insight_queries_finished_total", "Attempts that ended a query", ["state"])
QUERY_SECONDS = Histogram("insight_query_seconds", "Time from claim to end of a query")
