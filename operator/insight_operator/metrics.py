"""What the operator counts and shows, in a registry of its own; docs/operator-metrics.md explains each."""

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from insight_operator import __version__
from insight_operator.snapshot import Manifest

_VALUES: Final = {"True": 1.0, "False": 0.0}
_UNKNOWN: Final = -1.0

disable_created_metrics()  # type: ignore[no-untyped-call] # the library has no types for it


class Metrics:
    """The operator's metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.passes = Counter(
            "insight_operator_reconcile", "Passes by outcome", ["outcome"], registry=self.registry
        )
        self.errors = Counter(
            "insight_operator_reconcile_errors", "Passes that failed", ["error"], registry=self.registry
        )
        self.duration = Histogram(
            "insight_operator_reconcile_duration_seconds",
            "Time of a pass by outcome",
            ["outcome"],
            buckets=(0.005, 0.02, 0.1, 0.5, 2, 10),
            registry=self.registry,
        )
        self.writes = Counter(
            "insight_operator_writes", "Writes to the API server", ["verb", "kind"], registry=self.registry
        )
        self.lag = Gauge("insight_operator_loop_lag_seconds", "Event loop lateness", registry=self.registry)
        self._depth = Gauge("insight_operator_queue_depth", "Keys waiting", registry=self.registry)
        self._age = Gauge("insight_operator_queue_age_seconds", "Longest wait", registry=self.registry)
        build = Gauge(
            "insight_operator_build_info", "What runs", ["version", "python"], registry=self.registry
        )
        build.labels(__version__, platform.python_version()).set(1)
        ProcessCollector(registry=self.registry)

    def wrote(self, verb: str, kind: str) -> None:
        """Count one write."""
        self.writes.labels(verb, kind).inc()

    def passed(self, outcome: str, seconds: float, error: BaseException | None) -> None:
        """Count one pass."""
        self.passes.labels(outcome).inc()
        self.duration.labels(outcome).observe(seconds)
        if error is not None:
            self.errors.labels(type(error).__name__).inc()

    def queue(self, depth: int, age_s: float) -> None:
        """Show the queue's state."""
        self._depth.set(depth)
        self._age.set(age_s)

    def show(
        self, engines: Callable[[], Iterable[Manifest]], watch_ages: Callable[[], Mapping[str, float]]
    ) -> None:
        """Show, whenever asked, what is known then: so that nothing is shown of an engine that is gone."""
        self.registry.register(_World(engines, watch_ages))


class _World(Collector):
    def __init__(
        self, engines: Callable[[], Iterable[Manifest]], watch_ages: Callable[[], Mapping[str, float]]
    ) -> None:
        self._engines = engines
        self._watch_ages = watch_ages

    def collect(self) -> Iterator[GaugeMetricFamily]:
        ages = GaugeMetricFamily(
            "insight_operator_watch_age_seconds", "Time since a watch was heard", labels=["kind"]
        )
        for kind, age_s in self._watch_ages().items():
            ages.add_metric([kind], age_s)
        yield ages
        names = ["namespace", "engine", "condition"]
        told = GaugeMetricFamily("insight_operator_engine_condition", "Conditions of engines", labels=names)
        for engine in self._engines():
            place = [engine["metadata"]["namespace"], engine["metadata"]["name"]]
            for condition in (engine.get("status") or {}).get("conditions", ()):
                value = _VALUES.get(condition["status"], _UNKNOWN)
                told.add_metric([*place, condition["type"]], value)
        yield told
