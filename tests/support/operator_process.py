"""The real operator as a process, logged in as its ServiceAccount: started, killed and measured by tests."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from support.waiting import eventually

ENGINE_IMAGE = "localhost:5000/insight-engine:test"


class OperatorProcess:
    """`python -m insight_operator run` for one namespace. Its log is a file, shown when a test fails."""

    def __init__(self, kubeconfig: Path, namespace: str, log: Path, **environment: str) -> None:
        self.log = log
        self.port = _free_port()
        self._environment = {
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(kubeconfig),
            "INSIGHT_OPERATOR_NAMESPACES": namespace,
            "INSIGHT_OPERATOR_LISTEN": f"127.0.0.1:{self.port}",
            "INSIGHT_OPERATOR_ENGINE_IMAGE": ENGINE_IMAGE,
            "INSIGHT_OPERATOR_RESYNC_S": "2",
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def configure(self, **environment: str) -> "OperatorProcess":
        """Set variables of its environment, for the next start."""
        self._environment |= environment
        return self

    def start(self, *, wait: bool = True) -> "OperatorProcess":
        """Start it; with `wait`, return once it is ready."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "insight_operator", "run"],
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if wait:
            eventually("the operator is ready", self.ready, 20, every_s=0.02)
        return self

    def ready(self) -> bool:
        """Tell whether /readyz says yes."""
        assert self.running, self.log.read_text()[-3000:]
        with contextlib.suppress(OSError):
            return bool(self._get("/readyz"))
        return False

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that carry these labels."""
        families = text_string_to_metric_families(self._get("/metrics"))
        return sum(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def kill(self) -> None:
        """End it without warning."""
        self._end(signal.SIGKILL)

    def terminate(self) -> tuple[float, int]:
        """End it politely; return the seconds that took and its exit code."""
        started = time.monotonic()
        code = self._end(signal.SIGTERM)
        return time.monotonic() - started, code

    def resident_mb(self) -> float:
        """Return its resident memory in MB."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("no VmRSS")

    def _end(self, how: signal.Signals) -> int:
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(how)
        return self._process.wait(20)

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return str(answer.read().decode())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
