"""Runs the test tiers in order, prints what each took against its budget, and ends with one summary line.

Each tier is a list of ordinary commands that a person can run alone (`--list` prints them). A tier that ran
no test, or skipped one, is reported as such: nothing passes by not running.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path

from dev.cluster.errors import ClusterError

REPOSITORY = Path(__file__).resolve().parents[1]
PYTEST = (sys.executable, "-m", "pytest", "-q")
# Programs are built before the tests that use them: a test has a time limit, a compiler should not.
BUILD = (sys.executable, "-m", "dev.cluster", "build")


@dataclass(frozen=True)
class Tier:
    """A stage of the run.

    Attributes:
        name: what `--tier` takes.
        proves: one line for people.
        cold_min: minutes it may take on 2 cores with empty caches.
        warm_min: minutes it may take when everything slow is cached.
        commands: run in order; the tier fails with the first that fails.
        tests: pytest's arguments, run last; empty when the tier is commands alone.
    """

    name: str
    proves: str
    cold_min: float
    warm_min: float
    commands: tuple[tuple[str, ...], ...] = ()
    tests: tuple[str, ...] = ()


TIERS = (
    Tier(
        "static",
        "formatting, lint, types, layers, generated files",
        3,
        1.5,
        (
            ("ruff", "format", "--check", "--quiet", "."),
            ("ruff", "check", "--quiet", "."),
            ("mypy",),
            ("lint-imports",),
            (sys.executable, "-m", "dev.generate", "--check"),
        ),
    ),
    Tier(
        "unit", "pure logic", 2, 2, tests=("tests/unit", "-n", "2", "--cov", "--cov-report=term:skip-covered")
    ),
    Tier(
        "manifests",
        "kubeconform, kube-score and checkov over what is deployed",
        3,
        0.7,
        ((*BUILD, "kubeconform", "kube-score"),),
        tests=("tests/scanners",),
    ),
    Tier("security", "the SQL guard against live databases", 7, 6, tests=("tests/security", "-n", "2")),
    Tier(
        "engine",
        "the engine on real databases, Redis, Celery and S3, and embedded",
        16,
        15,
        tests=("tests/engine", "-n", "2", "--dist", "loadfile"),
    ),
    Tier(
        "apiserver",
        "the operator on a real API server",
        14,
        9,
        ((*BUILD, "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok", "helm"),),
        tests=("tests/apiserver",),
    ),
    Tier(
        "lifecycle",
        "the local cluster: up twice, healed when killed, no trace after down",
        12,
        2,
        tests=("tests/lifecycle",),
    ),
    Tier("compose", "the Compose deployments on a real Docker engine", 9, 4, tests=("tests/compose",)),
    Tier("e2e", "the whole path on a real cluster", 22, 18, ((*BUILD, "helm"),), tests=("tests/e2e",)),
)


@dataclass
class Count:
    """What pytest counted."""

    passed: int = 0
    failed: int = 0
    skipped: list[str] = field(default_factory=list)


@dataclass
class Outcome:
    """How one tier ended."""

    tier: Tier
    seconds: float
    count: Count
    problem: str = ""


def read_junit(report: Path) -> Count:
    """Return pytest's counts from its JUnit report; an unreadable report counts as nothing run."""
    count = Count()
    if not report.exists():
        return count
    for case in ET.parse(report).getroot().iter("testcase"):  # noqa: S314 - written by our own pytest
        if case.find("failure") is not None or case.find("error") is not None:
            count.failed += 1
        elif (skipped := case.find("skipped")) is not None:
            count.skipped.append(f"{case.get('classname')}::{case.get('name')}: {skipped.get('message')}")
        else:
            count.passed += 1
    return count


def run_tier(tier: Tier) -> Outcome:
    """Run one tier to its end or its first failing command."""
    print(f"\n=== {tier.name}: {tier.proves}", flush=True)
    started = time.monotonic()
    for command in tier.commands:
        print(f"--- {' '.join(command)}", flush=True)
        if subprocess.run(command, cwd=REPOSITORY, check=False).returncode:
            return Outcome(tier, time.monotonic() - started, Count(), f"`{' '.join(command)}` failed")
    count, problem = Count(), ""
    if tier.tests:
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "junit.xml"
            code = subprocess.run(
                [*PYTEST, *tier.tests, f"--junitxml={report}"], cwd=REPOSITORY, check=False
            ).returncode
            count = read_junit(report)
        if code:
            problem = f"pytest ended with {code}"
        elif not count.passed and not count.skipped:
            problem = "no test ran"
    return Outcome(tier, time.monotonic() - started, count, problem)


def summary(outcomes: list[Outcome]) -> str:
    """Return the closing table, the tests that did not run, and the line that counts all tests."""
    lines = [
        "",
        f"{'tier':<11}{'result':<9}{'passed':>7}{'failed':>7}{'skipped':>8}{'took':>9}   budget cold/warm",
    ]
    for outcome in outcomes:
        count = outcome.count
        result = "FAILED" if outcome.problem else "ok"
        if count.skipped and not count.passed:
            result = "NOT RUN"  # as on a machine that cannot run pods
        lines.append(
            f"{outcome.tier.name:<11}{result:<9}"
            f"{count.passed:>7}{count.failed:>7}"
            f"{len(count.skipped):>8}{outcome.seconds / 60:>7.1f} m   "
            f"{outcome.tier.cold_min:g}/{outcome.tier.warm_min:g} m"
        )
    lines += [f"NOT RUN: {skipped}" for outcome in outcomes for skipped in outcome.count.skipped]
    lines += [f"FAILED {outcome.tier.name}: {outcome.problem}" for outcome in outcomes if outcome.problem]
    lines.append(f"total {sum(outcome.seconds for outcome in outcomes) / 60:.1f} minutes")
    passed = sum(outcome.count.passed for outcome in outcomes)
    # A failing command that is not a test still has to show in the line that counts.
    failed = sum(outcome.count.failed or bool(outcome.problem) for outcome in outcomes)
    skipped_count = sum(len(outcome.count.skipped) for outcome in outcomes)
    lines.append(f"{passed} passed, {failed} failed, {skipped_count} skipped")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Run the chosen tiers; return 0 when all of them passed."""
    parser = argparse.ArgumentParser(prog="python -m dev.testrun", description=__doc__.splitlines()[0])
    names = [tier.name for tier in TIERS]
    parser.add_argument("--tier", action="append", choices=names, help="run only this tier (may be repeated)")
    parser.add_argument("--list", action="store_true", help="print each tier's commands and run nothing")
    parser.add_argument(
        "--keep-going", action="store_true", help="go on with the next tier after a failed one"
    )
    options = parser.parse_args(arguments)
    chosen = [tier for tier in TIERS if not options.tier or tier.name in options.tier]
    if options.list:
        for tier in chosen:
            print(f"{tier.name}: {tier.proves}")
            for command in (*tier.commands, *([(*PYTEST, *tier.tests)] if tier.tests else [])):
                print(f"  {' '.join(command)}")
        return 0
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    outcomes: list[Outcome] = []
    for tier in chosen:
        outcomes.append(run_tier(tier))
        if outcomes[-1].problem and not options.keep_going:
            break
    print(summary(outcomes))
    return int(any(outcome.problem for outcome in outcomes))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ClusterError, KeyboardInterrupt) as error:
        sys.exit(f"testrun: {error or 'interrupted'}")
