"""Probes and metrics are answered from a thread, also when the event loop no longer turns."""

import contextlib
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from insight_operator.metrics import Metrics
from insight_operator.telemetry import Health, serve


@pytest.fixture
def health() -> Health:
    return Health(ready=True)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def url(health: Health, metrics: Metrics) -> Iterator[str]:
    server = serve(("127.0.0.1", 0), health, metrics)
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def status(url: str) -> int:
    with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(url, timeout=5) as answer:
        return int(answer.status)
    return 503


def test_a_turning_loop_is_alive_and_ready(url: str) -> None:
    assert status(f"{url}/healthz") == 200
    assert status(f"{url}/readyz") == 200


def test_a_blocked_loop_is_neither(url: str, health: Health) -> None:
    health.beat_at = time.monotonic() - 60
    assert status(f"{url}/healthz") == 503
    assert status(f"{url}/readyz") == 503


def test_a_deaf_watch_is_neither(url: str, health: Health) -> None:
    health.deaf = True
    assert status(f"{url}/healthz") == 503
    assert status(f"{url}/readyz") == 503


def test_before_the_first_look_it_is_alive_but_not_ready(url: str, health: Health) -> None:
    health.ready = False
    assert status(f"{url}/healthz") == 200
    assert status(f"{url}/readyz") == 503


def test_passes_and_writes_are_counted(url: str, metrics: Metrics) -> None:
    metrics.passed("failed", 0.1, ValueError("x"))
    metrics.wrote("apply", "Deployment")
    with urllib.request.urlopen(f"{url}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    assert 'insight_operator_reconcile_total{outcome="failed"} 1.0' in text
    assert 'insight_operator_reconcile_errors_total{error="ValueError"} 1.0' in text
    assert 'insight_operator_writes_total{kind="Deployment",verb="apply"} 1.0' in text
