"""The Kubernetes overlays as `kubectl kustomize` renders them, and what the operator makes of them."""

import subprocess
from functools import cache
from typing import Any

import yaml

from dev.cluster import paths
from dev.kube import kubectl_program
from insight_operator.cli.render import rendered
from insight_operator.settings import image_settings

OVERLAYS = ("production", "staging")


@cache
def kustomized(overlay: str) -> str:
    """The overlay's manifests as text."""
    command = [str(kubectl_program()), "kustomize", f"k8s/overlays/{overlay}"]
    return subprocess.run(command, cwd=paths.REPOSITORY, capture_output=True, text=True, check=True).stdout


def documents(overlay: str) -> list[dict[str, Any]]:
    """The overlay's manifests."""
    return list(yaml.safe_load_all(kustomized(overlay)))


def engine(overlay: str) -> dict[str, Any]:
    """Its one InsightEngine."""
    (found,) = (each for each in documents(overlay) if each["kind"] == "InsightEngine")
    return found


@cache
def children(overlay: str) -> str:
    """What the operator would make of it, as text."""
    return "---\n".join(rendered(engine(overlay), {}, image_settings({})))


def pods(overlay: str) -> dict[str, dict[str, Any]]:
    """The rendered pod templates by component: api, worker, migrate, postgres, redis."""
    made = {}
    for child in yaml.safe_load_all(children(overlay)):
        template = child.get("spec", {}).get("template") if child["kind"] != "Pod" else None
        if template:
            made[template["metadata"]["labels"]["app.kubernetes.io/component"]] = template
    return made
