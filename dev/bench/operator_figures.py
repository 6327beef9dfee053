"""`python -m dev.bench.operator_figures`: the operator's own figures (O2, O4), on a real API server.

Pods are played by kwok: what is measured is the operator, the API server and the controllers on one machine.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psutil

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests"))  # the control plane's client and the operator's process

from dev.bench.figures import Figure, Findings, load, percentile, table  # noqa: E402 - needs the path above
from dev.cluster.controlplane import ControlPlane  # noqa: E402 - likewise
from insight_operator import naming  # noqa: E402 - likewise
from insight_operator.crd.manifest import custom_resource_definition  # noqa: E402 - likewise
from support import audit  # noqa: E402 - likewise
from support import space as spaces  # noqa: E402 - likewise
from support.kube_api import KubeApi, Manifest  # noqa: E402 - likewise
from support.operator_process import OperatorProcess  # noqa: E402 - likewise
from support.space import Space  # noqa: E402 - likewise
from support.waiting import eventually  # noqa: E402 - likewise

_Asked = tuple[str, str, str]
"""Verb, resource and name of a request."""

_CRDS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_PATIENCE_S: Final = 1200.0
_DRIFTING: Final = ("Service", "ConfigMap", "ServiceAccount", "PodDisruptionBudget", "Deployment")


GOALS: Final = {"memory_mb": 100.0, "change_p95_s": 0.5, "repair_p50_s": 0.35, "quiet_s": 3.0}


def main() -> int:
    """Measure and print; 0 whatever the figures, as they depend on the machine."""
    parser = argparse.ArgumentParser(prog="python -m dev.bench.operator_figures", description=__doc__)
    parser.add_argument("--engines", type=int, default=200, metavar="N", help="InsightEngines (200)")
    parser.add_argument("--samples", type=int, default=60, metavar="N", help="changes and repairs (60)")
    parser.add_argument("--idle", type=float, default=180.0, metavar="S", help="seconds of idling (180)")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "build" / "bench", metavar="DIR")
    args = parser.parse_args()
    findings = Findings()
    with tempfile.TemporaryDirectory(prefix="insight-bench-") as folder:
        for space in _world(Path(folder)):
            bench = Bench(space, args.engines, findings)
            bench.arrive()
            bench.change(args.samples)
            bench.repair(args.samples)
            bench.restart()
            bench.idle(args.idle)
            bench.leave()
    args.out.mkdir(parents=True, exist_ok=True)
    kept = args.out / f"operator-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    kept.write_text(json.dumps(findings.raw))
    print(f"\n{table({'operator': findings})}\n\n{load()}; raw samples: {kept}")
    return 0


def _world(folder: Path) -> Iterator[Space]:
    """Yield one namespace with a running operator."""
    with ControlPlane(folder / "control-plane", controllers=True, kwok=True) as control_plane:
        admin = KubeApi(control_plane.kubeconfig)
        admin.request("POST", _CRDS, custom_resource_definition())
        eventually("the CRD is served", lambda: _served(admin), 30)
        space = spaces.prepare(admin, folder, control_plane.audit_log)
        login, log = folder / "operator.kubeconfig", folder / "operator.log"
        space.operator = OperatorProcess(login, space.namespace, log, INSIGHT_OPERATOR_RESYNC_S="30")
        space.operator.start()
        try:
            yield space
        finally:
            space.operator.kill()


def _served(admin: KubeApi) -> bool:
    found = admin.request("GET", f"{_CRDS}/{naming.PLURAL}.{naming.GROUP}")
    conditions = found.get("status", {}).get("conditions") or ()
    return any(item["type"] == "Established" and item["status"] == "True" for item in conditions)


class Bench:
    """The measurements, in the order in which they need each other."""

    def __init__(self, space: Space, engines: int, findings: Findings) -> None:
        self.space = space
        self.names = [f"e{number:04}" for number in range(engines)]
        self.findings = findings

    def arrive(self) -> None:
        """Create every InsightEngine at once; wait for all to be Ready."""
        for name in self.names:
            spaces.add_volumes(self.space.kube, self.space.namespace, name)
        began = time.monotonic()
        for name in self.names:
            self.space.create_engine(name)
        eventually("every engine is Ready", self._all_ready, _PATIENCE_S, every_s=1.0)
        seconds = time.monotonic() - began
        first = self._first_conditions()
        count = len(self.names)
        self._add(f"{count} engines at once → all Ready", "", f"{seconds:.0f} s", None, arrival_s=seconds)
        worst = max(first)
        measured = f"p50 {percentile(first, 50):.2f} s, worst {worst:.2f} s"
        self._add(
            f"created → first condition, {count} at once", "≤ 1 s", measured, worst <= 1, condition_s=first
        )
        memory = self.space.operator.resident_mb()
        self._add(
            f"O3: resident memory at {count} engines",
            "< 100 MB",
            f"{memory:.0f} MB",
            memory < GOALS["memory_mb"],
            mb=memory,
        )

    def change(self, samples: int) -> None:
        """Change a spec; wait for the child that shows it, by the API server's own clock."""
        count = len(self.names)
        # As few pods as can be: what thousands cost the scheduler and kwok is not the operator's time.
        times = [self._changed(self.names[number % count], 3 + number // count) for number in range(samples)]
        p95 = percentile(times, 95)
        self._add(
            "O2: spec change → child applied",
            "p95 < 0.5 s",
            _spread(times),
            p95 < GOALS["change_p95_s"],
            change_s=times,
        )

    def repair(self, samples: int) -> None:
        """Delete a child; wait for it to be back, by the API server's own clock."""
        times = [
            self._repaired(self.names[number % len(self.names)], _DRIFTING[number % len(_DRIFTING)])
            for number in range(samples)
        ]
        p50, p99 = percentile(times, 50), percentile(times, 99)
        met = p50 < GOALS["repair_p50_s"] and p99 < 1
        self._add("O2: child deleted → back", "p50 < 0.35 s, p99 < 1 s", _spread(times), met, repair_s=times)

    def restart(self) -> None:
        """Start anew among engines that are as they should be; wait until nothing is asked for any more."""
        eventually("every engine is Ready", self._all_ready, _PATIENCE_S, every_s=1.0)
        self.space.operator.terminate()
        since = audit.position(self.space.audit_log)
        began = time.time()
        self.space.operator.start()
        metric, count = self.space.operator.metric, len(self.names)
        settled = "insight_operator_reconcile_total"
        eventually("every engine was looked at", lambda: metric(settled, outcome="settled") >= count, 120)
        eventually("the queue is empty", lambda: metric("insight_operator_queue_depth") == 0, 120)
        found = audit.requests(self.space.audit_log, self.space.user, since)
        writes = [request for request in found if request.is_write]
        quiet = max(request.at for request in found if request.verb != "watch") - began
        measured = f"{len(writes)} writes, quiet after {quiet:.1f} s, {len(found)} requests"
        met = not writes and quiet < GOALS["quiet_s"]
        self._add(f"O4: restart with {count} engines", "0 writes, quiet < 3 s", measured, met, quiet_s=quiet)

    def idle(self, seconds: float) -> None:
        """Do nothing for a while."""
        process = psutil.Process(self.space.operator.pid)
        since, began = audit.position(self.space.audit_log), process.cpu_times()
        time.sleep(seconds)
        ended = process.cpu_times()
        spent = ended.user + ended.system - began.user - began.system
        found = audit.requests(self.space.audit_log, self.space.user, since)
        writes = sum(request.is_write for request in found)
        measured = f"{writes} writes, {len(found) - writes} reads, {spent:.2f} s of processor time"
        met = writes == 0 and spent < 0.2 * seconds / 180
        goal = "0 writes, ~0 reads, < 0.2 s in 180 s"
        self._add(f"O4: {seconds:.0f} s idle", goal, measured, met, idle_cpu_s=spent, idle_reads=len(found))

    def leave(self) -> None:
        """End the operator politely."""
        seconds, _ = self.space.operator.terminate()
        self._add("O4: SIGTERM → exit", "< 1 s", f"{seconds:.2f} s", seconds < 1, sigterm_s=seconds)

    def _add(self, name: str, goal: str, measured: str, met: bool | None, **raw: object) -> None:
        self.findings.add(Figure(name, goal, measured, met), **raw)

    def _all_ready(self) -> bool:
        return all(_ready(engine) for engine in self.space.kube.list(naming.KIND))

    def _first_conditions(self) -> list[float]:
        """Return for each engine the seconds from its creation to its first status."""
        found = audit.requests(self.space.audit_log)
        made = {r.name: r.at for r in found if r.verb == "create" and r.resource == naming.PLURAL and r.name}
        told: dict[str, float] = {}
        for request in found:
            if request.verb == "patch" and request.resource == naming.PLURAL:
                told.setdefault(request.name, request.at)
        return [told[name] - made[name] for name in self.names]

    def _changed(self, name: str, workers: int) -> float:
        since = audit.position(self.space.audit_log)
        change = {"spec": {"workers": {"replicas": workers}}}
        self.space.kube.patch(naming.KIND, name, change, "bench")
        return self._seconds(
            since,
            ("patch", naming.PLURAL, name),
            ("patch", "deployments", naming.child_of(name, naming.WORKER)),
        )

    def _repaired(self, name: str, kind: str) -> float:
        label = f"?labelSelector={naming.ENGINE_LABEL}={name}"
        path = self.space.kube.path(kind) + label
        found: list[Manifest] = self.space.kube.request("GET", path)["items"]
        inventory = naming.child_of(name, "inventory")
        child = next(item["metadata"]["name"] for item in found if item["metadata"]["name"] != inventory)
        plural = self.space.kube.path(kind).rsplit("/", 1)[1]
        since = audit.position(self.space.audit_log)
        self.space.kube.delete(kind, child)
        return self._seconds(since, ("delete", plural, child), ("create", plural, child))

    def _seconds(self, since: int, cause: _Asked, effect: _Asked) -> float:
        """Return the time between two requests by the API server's clock, once it has written both down."""

        def both() -> tuple[float, float] | None:
            found = audit.requests(self.space.audit_log, since=since)
            at = {(r.verb, r.resource, r.name, r.user == self.space.user): r.at for r in found}
            began, ended = at.get((*cause, False)), at.get((*effect, True))
            return (began, ended) if began is not None and ended is not None else None

        began, ended = eventually(f"{effect} after {cause}", both, 60, every_s=0.02)
        return ended - began


def _ready(engine: Manifest) -> bool:
    status = engine.get("status") or {}
    current = status.get("observedGeneration") == engine["metadata"]["generation"]
    return current and any(
        c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", ())
    )


def _spread(times: Sequence[float]) -> str:
    p50, p95, p99 = (percentile(times, percent) for percent in (50, 95, 99))
    return f"p50 {p50:.3f} s, p95 {p95:.3f} s, p99 {p99:.3f} s (n {len(times)})"


if __name__ == "__main__":
    sys.exit(main())
