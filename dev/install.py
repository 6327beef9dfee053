"""Puts the operator, the sample data source and the quickstart InsightEngine on a cluster.

Shared by the demo and the end-to-end tests, so that what a person sees is what is tested. Secrets are made
here with random values and handed to kubectl on standard input, never as arguments.
"""

import base64
import json
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dev.cluster.errors import ClusterError
from dev.kube import Kube, helm

REPOSITORY = Path(__file__).resolve().parents[1]
EXAMPLES = REPOSITORY / "examples"
CHART = REPOSITORY / "charts" / "insight-operator"
RELEASE = "insight-operator"
_PUBLIC_POSTGRES = "docker.io/library/postgres:18"

Image = Mapping[str, str]
"""A built image: `repository`, `tag` and `digest`."""


def reference(image: Image) -> str:
    """Return `repository:tag@digest`, without the digest where the image was never pushed."""
    digest = f"@{image['digest']}" if image["digest"] else ""
    return f"{image['repository']}:{image['tag']}{digest}"


def make_namespace(kube: Kube) -> None:
    """Create the namespace with Pod Security "restricted" enforced; an existing one is left as it is."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": kube.namespace, "labels": labels}
    kube.apply(json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}))


def install_operator(
    kube: Kube, helm_program: Path, images: Mapping[str, Image], watch: str | tuple[str, ...]
) -> str:
    """Install or upgrade the chart in the namespace, watching others, and wait until it is ready.

    Raises ClusterError with helm's own words when it does not become ready.
    """
    values = {
        "image": dict(images["operator"]),
        "images": {name: dict(images[name]) for name in ("engine", "postgres", "redis")},
        "watchNamespaces": [watch] if isinstance(watch, str) else list(watch),
    }
    flat = [f"--set-json={key}={json.dumps(value)}" for key, value in values.items()]
    return helm(
        kube.kubeconfig,
        helm_program,
        "upgrade",
        RELEASE,
        str(CHART),
        "--install",
        # The definition of the resource is one per cluster and outlives a release: demo and tests share it.
        "--take-ownership",
        f"--namespace={kube.namespace}",
        "--wait",
        "--timeout=3m",
        *flat,
    )


def secret(name: str, data: Mapping[str, str], labels: Mapping[str, str] | None = None) -> str:
    """Return an Opaque Secret as JSON text."""
    metadata = {"name": name, "labels": dict(labels or {})}
    return json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": dict(data)})


def create(kube: Kube, manifest: str) -> None:
    """Create an object. Not `apply`: that would copy a Secret's values into an annotation."""
    kube.run("create", "-f", "-", stdin=manifest)


def install_sample_source(kube: Kube, postgres: Image) -> None:
    """Create the sample database and its two Secrets; those that exist keep their passwords."""
    if kube.get("secret", "sales-owner") is None:
        create(kube, secret("sales-owner", {"password": secrets.token_urlsafe(24)}))
    if kube.get("secret", "sales-readonly") is None:
        login = {
            "host": "sales",
            "port": "5432",
            "dbname": "sales",
            "username": "sales_reader",
            "password": secrets.token_urlsafe(24),
        }
        create(kube, secret("sales-readonly", login, {"insightengine.io/use": "true"}))
    manifest = (EXAMPLES / "sample-source.yaml").read_text()
    kube.apply(manifest.replace(_PUBLIC_POSTGRES, reference(postgres)))


def secret_value(kube: Kube, name: str, key: str) -> str:
    """Return one decoded value of a Secret. Raises ClusterError when it is not there."""
    found = kube.get("secret", name)
    if found is None or key not in found.get("data", {}):
        raise ClusterError(f"Secret {kube.namespace}/{name} has no key {key}; was it deleted?")
    return base64.b64decode(found["data"][key]).decode()


def condition(resource: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """Return a condition of an InsightEngine, or an empty one."""
    conditions = resource.get("status", {}).get("conditions", [])
    return next((found for found in conditions if found["type"] == kind), {})


def is_ready(resource: Mapping[str, Any] | None) -> bool:
    """Whether Ready is True for the generation that the spec has now."""
    if resource is None:
        return False
    ready = condition(resource, "Ready")
    return (
        ready.get("status") == "True"
        and ready.get("observedGeneration") == resource["metadata"]["generation"]
    )


def wait_ready(kube: Kube, name: str, tell: Callable[[str], None], timeout_s: float = 300) -> float:
    """Wait until an InsightEngine is Ready, telling each change of what it waits for; return the seconds.

    Raises ClusterError with the last reason and message when the time is over.
    """
    started, last = time.monotonic(), ""
    while True:
        resource = kube.get("insightengine", name)
        waited = time.monotonic() - started
        if is_ready(resource):
            return waited
        ready = condition(resource or {}, "Ready")
        now = f"{ready.get('reason', 'NoStatusYet')}: {ready.get('message', 'the operator has not answered')}"
        if now != last:
            tell(f"  [{waited:4.0f} s] {now}")
            last = now
        if waited > timeout_s:
            raise ClusterError(f"InsightEngine {name} was not Ready within {timeout_s:.0f} s; last: {now}")
        time.sleep(0.25)
