"""The table of metrics is the metrics there are."""

from pathlib import Path

import prometheus_client
from prometheus_client.metrics import MetricWrapperBase

from insight_engine import metrics

DOCS = Path(__file__).parents[3] / "docs" / "engine-metrics.md"


def exposed(metric: MetricWrapperBase) -> tuple[str, str, tuple[str, ...], str]:
    suffix = "_total" if isinstance(metric, prometheus_client.Counter) else ""
    return (metric._name + suffix, str(metric._type), tuple(metric._labelnames), metric._documentation)


def documented() -> list[tuple[str, str, tuple[str, ...], str]]:
    rows = []
    for line in DOCS.read_text().splitlines():
        if line.startswith("| `insight_"):
            name, kind, labels, meaning = (cell.strip() for cell in line.strip("|").split("|"))
            names = tuple(label.strip(" `") for label in labels.split(",") if label.strip())
            rows.append((name.strip("`"), kind, names, meaning))
    return rows


def test_every_metric_is_documented_as_it_is() -> None:
    found = [exposed(metric) for metric in vars(metrics).values() if isinstance(metric, MetricWrapperBase)]
    assert documented() == found


def test_a_gauge_says_how_processes_are_joined() -> None:
    for metric in vars(metrics).values():
        if isinstance(metric, prometheus_client.Gauge):
            assert metric._multiprocess_mode.startswith("live"), metric._name
