"""The only place that runs kubectl: one call, its answer or one sentence about why there is none."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

from insight_operator import naming
from insight_operator.snapshot import Manifest

RESOURCE = f"{naming.PLURAL}.{naming.GROUP}"
MANAGER = "kubectl-insight"
_SERVER_PREFIX = re.compile(
    r"^(error: |Error from server( \([A-Za-z]+\))?: (error when [a-z]+ \"[^\"]*\": )?)"
)


class KubectlError(Exception):
    """kubectl or the API server refused; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl with the options that a person gave for every call.

    Attributes:
        options: such as `--context=prod`; they go in front of every call.
    """

    options: tuple[str, ...] = ()

    def run(self, *arguments: str, stdin: str = "") -> str:
        """Run kubectl once and return what it printed. Raises KubectlError."""
        program = shutil.which("kubectl")
        if program is None:
            raise KubectlError("kubectl is not on the PATH: install it, or add its folder")
        done = subprocess.run(  # noqa: S603 - an argument list, no shell; kubectl reads names, never commands
            [program, *self.options, *arguments], input=stdin, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise KubectlError(_sentence(done.stderr) or f"kubectl exited with {done.returncode}")
        return done.stdout

    def engine(self, name: str, namespace: str | None = None) -> Manifest:
        """Return an InsightEngine. Raises KubectlError, also when there is none of that name."""
        found: Manifest = json.loads(self.run("get", RESOURCE, name, "-o=json", *_within(namespace)))
        return found

    def engine_if_any(self, name: str, namespace: str | None) -> Manifest | None:
        """Return an InsightEngine, None when there is none of that name. Raises KubectlError."""
        text = self.run("get", RESOURCE, name, "-o=json", "--ignore-not-found", *_within(namespace))
        found: Manifest | None = json.loads(text) if text.strip() else None
        return found

    def tried(self, resource: Manifest, *, server_side: bool) -> Manifest:
        """Return what applying a resource would store, as the API server says; nothing is stored."""
        how = ("--server-side", "--field-manager=kubectl") if server_side else ()
        text = self.run("apply", "-f", "-", "-o=json", "--dry-run=server", *how, stdin=json.dumps(resource))
        tried: Manifest = json.loads(text)
        return tried

    def merge(self, name: str, changes: dict[str, Any]) -> None:
        """Merge changes into an InsightEngine. Raises KubectlError."""
        patch = f"--patch={json.dumps(changes)}"
        self.run("patch", RESOURCE, name, "--type=merge", f"--field-manager={MANAGER}", patch)


def _within(namespace: str | None) -> tuple[str, ...]:
    return (f"--namespace={namespace}",) if namespace else ()


def _sentence(stderr: str) -> str:
    """Return what kubectl said that is no warning, without its way of saying that it is an error."""
    lines = [line for line in stderr.splitlines() if line.strip() and not line.startswith("Warning:")]
    return _SERVER_PREFIX.sub("", "\n".join(lines)).strip()
