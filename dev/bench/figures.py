"""A measured figure, its goal and its peer, and the table that a run ends with."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        name: the goal's id and what is measured.
        goal: what is aimed at, as a person reads it.
        measured: what came out.
        met: whether that meets the goal; None when there is no goal, or nothing could be measured.
        peer: the same by something else in the same run.
    """

    name: str
    goal: str
    measured: str
    met: bool | None
    peer: str = ""


@dataclass
class Findings:
    """What one benchmark found, and its raw samples."""

    figures: list[Figure] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)

    def add(self, figure: Figure, **raw: Any) -> None:
        """Take a figure in, and say it at once."""
        self.figures.append(figure)
        self.raw |= raw
        print(f"{figure.name}: {figure.measured}{f' ({figure.peer})' if figure.peer else ''}", flush=True)


def percentile(samples: Sequence[float], percent: float) -> float:
    """The value below which `percent` of the samples lie."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def spread(samples: Sequence[float]) -> str:
    """Median and 95th percentile of milliseconds."""
    return f"p50 {percentile(samples, 50):.1f} ms, p95 {percentile(samples, 95):.1f} ms"


def ratio(one: Sequence[float], other: Sequence[float]) -> float:
    """How many times the one's median is the other's."""
    return statistics.median(one) / statistics.median(other)


def timed_ms(call: Callable[[], object]) -> float:
    """Milliseconds that a call takes."""
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def load() -> str:
    """How busy this machine is: figures of a busy one say little."""
    return f"load {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} cores"


def table(findings: Mapping[str, Findings]) -> str:
    """Every figure in Markdown."""
    lines = ["| figure | goal | measured | peer, same run | met |", "| --- | --- | --- | --- | --- |"]
    words = {True: "yes", False: "**no**", None: "-"}
    lines += [
        f"| {figure.name} | {figure.goal} | {figure.measured} | {figure.peer} | {words[figure.met]} |"
        for found in findings.values()
        for figure in found.figures
    ]
    return "\n".join(lines)
