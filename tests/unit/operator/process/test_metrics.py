"""Every metric is documented, and what is shown of the world is what is known when asked."""

import re
from pathlib import Path
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from insight_operator.metrics import Metrics
from support.objects import engine

DOCS = Path(__file__).parents[4] / "docs" / "operator-metrics.md"
ROW = re.compile(r"^\| `(\w+)` \| (counter|gauge|histogram) \|([^|]*)\| \S", re.MULTILINE)


def family(name: str, kind: str) -> str:
    return f"{name}_total" if kind == "counter" else name


def full() -> Metrics:
    """Return metrics each of which has a sample."""
    metrics = Metrics()
    metrics.passed("failed", 0.1, ValueError("x"))
    metrics.wrote("apply", "Deployment")
    conditions = [{"type": "Ready", "status": "True"}]
    metrics.show(lambda: [engine() | {"status": {"conditions": conditions}}], lambda: {"Pod": 1.5})
    return metrics


def test_every_metric_is_documented_with_its_kind_and_labels_and_no_other() -> None:
    shown = {
        family(found.name, found.type): (
            found.type,
            {label for sample in found.samples for label in sample.labels} - {"le"},
        )
        for found in text_string_to_metric_families(generate_latest(full().registry).decode())
    }
    told = {
        name: (kind, set(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in ROW.findall(DOCS.read_text(encoding="utf-8"))
    }
    assert told == shown


def test_conditions_are_shown_as_they_are_now_and_not_of_an_engine_that_is_gone() -> None:
    world: list[dict[str, Any]] = []
    metrics = Metrics()
    metrics.show(lambda: world, dict)

    def shown(condition: str) -> float | None:
        labels = {"namespace": "insight", "engine": "vanna", "condition": condition}
        return metrics.registry.get_sample_value("insight_operator_engine_condition", labels)

    assert shown("Ready") is None
    judged = {"Ready": "True", "Stalled": "False", "DatabaseReady": "Unknown"}
    world.append(engine() | {"status": {"conditions": [{"type": t, "status": s} for t, s in judged.items()]}})
    assert (shown("Ready"), shown("Stalled"), shown("DatabaseReady")) == (1, 0, -1)
    world.clear()
    assert shown("Ready") is None


def test_the_build_is_told() -> None:
    text = generate_latest(Metrics().registry).decode()
    assert re.search(r'insight_operator_build_info\{python="3\.[^"]+",version="[^"]+"\} 1\.0', text)
