"""Runs the three scanners over manifests and returns what they find, as (object, check, message) rows."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from dev.cluster import gotools, network, paths
from dev.cluster.errors import ClusterError
from dev.cluster.progress import step
from dev.scanners import kube_schemas

_LOCK = paths.REPOSITORY / "requirements" / "checkov.txt"


class Finding(NamedTuple):
    """One thing a scanner refuses.

    Attributes:
        thing: `Kind/name` of the object.
        check: the scanner's own name of the rule.
        message: what it says.
    """

    thing: str
    check: str
    message: str


class Report(NamedTuple):
    """What a scanner said.

    Attributes:
        looked_at: how many objects, or checks of objects, it judged.
        findings: what it refuses.
    """

    looked_at: int
    findings: list[Finding]


def kubeconform(manifests: str) -> Report:
    """Judge every object against the schema of its kind, unknown fields refused."""
    schemas = f"{kube_schemas.folder()}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    program = gotools.ensure(("kubeconform",))["kubeconform"]
    answer = _json(
        [str(program), "-strict", "-output=json", "-verbose", f"-schema-location={schemas}", "-"], manifests
    )
    resources = answer["resources"]
    wrong = [each for each in resources if each["status"] not in {"statusValid", "statusSkipped"}]
    findings = [Finding(f"{each['kind']}/{each['name']}", each["status"], str(each["msg"])) for each in wrong]
    return Report(len(resources), findings)


def kube_score(manifests: str) -> Report:
    """Judge the objects by kube-score's rules, also those it does not apply by itself."""
    program = gotools.ensure(("kube-score",))["kube-score"]
    answer = _json([str(program), "score", "--output-format=json", "--all-default-optional", "-"], manifests)
    looked_at, findings = 0, []
    for scored in answer or []:
        thing = f"{scored['type_meta']['kind']}/{scored['object_meta']['name']}"
        for check in scored["checks"]:
            looked_at += 1
            if not check["skipped"] and check["grade"] < _GRADE_OK:
                said = "; ".join(comment["summary"] for comment in check["comments"] or [])
                findings.append(Finding(thing, check["check"]["id"], said))
    return Report(looked_at, findings)


_GRADE_OK = 10


def checkov(text: str, framework: str = "kubernetes") -> Report:
    """Judge objects by checkov's Kubernetes rules, or any text by those for another of its frameworks."""
    program = _checkov()
    with tempfile.TemporaryDirectory(prefix="insight-checkov-") as folder:
        file = Path(folder) / "manifests.yaml"
        file.write_text(text)
        # Without --skip-download it would ask its vendor.
        command = [str(program), f"--framework={framework}", "--skip-download", "--quiet", "--output=json"]
        answer = _json([*command, f"--file={file}"], "")
    if "results" not in answer:  # it found nothing to judge
        return Report(0, [])
    failed = answer["results"]["failed_checks"]
    findings = [Finding(_thing(each["resource"]), each["check_id"], each["check_name"]) for each in failed]
    return Report(answer["summary"]["passed"] + answer["summary"]["failed"], findings)


SCANNERS: dict[str, Callable[[str], Report]] = {
    "kubeconform": kubeconform,
    "kube-score": kube_score,
    "checkov": checkov,
}


def _thing(resource: str) -> str:
    kind, _, name = resource.partition(".")
    return f"{kind}/{name.rpartition('.')[2]}"


def _checkov() -> Path:
    folder = paths.cache_folder() / "checkov" / _LOCK.name / _key()
    with paths.exclusive("checkov"):
        if not folder.exists():
            draft = folder.with_name(f".{folder.name}")
            shutil.rmtree(draft, ignore_errors=True)
            with step("Installing checkov (a minute, then cached)"):
                uv = [sys.executable, "-m", "uv"]
                network.run([*uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, str(draft)])
                install = [*uv, "pip", "install", "--quiet", "--require-hashes"]
                network.run([*install, "--python", str(draft / "bin/python"), "--requirement", str(_LOCK)])
            draft.replace(folder)
    return folder / "bin" / "checkov"


def _key() -> str:
    return hashlib.sha256(sys.version.encode() + _LOCK.read_bytes()).hexdigest()[:12]


def _json(command: list[str], stdin: str) -> Any:
    """Run a scanner; it may exit with an error because of what it found, but must print JSON."""
    inherited = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, env=inherited)
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise ClusterError(f"`{' '.join(command)}` printed no JSON: {done.stdout}{done.stderr}") from None
