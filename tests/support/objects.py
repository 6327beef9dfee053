"""Small live objects for unit tests, with only the fields that matter to the test that asks for them."""

from typing import Any

from insight_operator import naming
from insight_operator.observe import Identity

ENGINE = Identity("vanna", "insight", "uid-of-vanna")
OTHER = Identity("vanna", "insight", "uid-of-an-earlier-vanna")


def live(
    kind: str = "ConfigMap",
    name: str = "vanna-config",
    *,
    version: int = 1,
    owner: Identity | None = ENGINE,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    managed: list[dict[str, Any]] | None = None,
    uid: str = "",
    **body: Any,
) -> dict[str, Any]:
    """Return an object as the API server would show it."""
    metadata: dict[str, Any] = {
        "name": name,
        "namespace": "insight",
        "uid": uid or f"uid-{kind}-{name}",
        "resourceVersion": str(version),
        "labels": {naming.ENGINE_LABEL: "vanna"} if labels is None else labels,
        "managedFields": managed or [],
    }
    if annotations:
        metadata["annotations"] = annotations
    if owner is not None:
        metadata["ownerReferences"] = [naming.owner_reference(owner)]
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **body}


def engine(version: int = 1, **metadata: Any) -> dict[str, Any]:
    """Return the InsightEngine that owns them."""
    return {
        "apiVersion": naming.API_VERSION,
        "kind": naming.KIND,
        "metadata": {
            "name": "vanna",
            "namespace": "insight",
            "uid": ENGINE.uid,
            "generation": 1,
            "resourceVersion": str(version),
            **metadata,
        },
        "spec": {},
    }
