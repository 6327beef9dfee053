"""The whole CustomResourceDefinition: names, columns, subresources, schema. Pure."""

from insight_operator import naming
from insight_operator.crd.base import DNS_LABEL
from insight_operator.crd.models import NAME_LIMIT, EngineSpec
from insight_operator.crd.schema import structural
from insight_operator.crd.status import NOT_OBSERVED, EngineStatus
from insight_operator.snapshot import Manifest

SHORT_NAME = "ie"
CATEGORY = "insight"


def custom_resource_definition() -> Manifest:
    """Return the CustomResourceDefinition of InsightEngine."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{naming.PLURAL}.{naming.GROUP}",
            # Uninstalling the operator must not delete every InsightEngine with it.
            "annotations": {"helm.sh/resource-policy": "keep"},
        },
        "spec": {
            "group": naming.GROUP,
            "names": {
                "kind": naming.KIND,
                "listKind": f"{naming.KIND}List",
                "plural": naming.PLURAL,
                "singular": naming.KIND.lower(),
                "shortNames": [SHORT_NAME],
                "categories": [CATEGORY],
            },
            "scope": "Namespaced",
            "versions": [_version()],
        },
    }


def _version() -> Manifest:
    return {
        "name": naming.VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": _columns(),
        "schema": {"openAPIV3Schema": _schema()},
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.workers.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            },
        },
    }


def _schema() -> Manifest:
    return {
        "description": "A query service that answers questions over databases.",
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(EngineSpec),
            "status": structural(EngineStatus) | {"default": {"observedGeneration": NOT_OBSERVED}},
        },
        "x-kubernetes-validations": [
            {
                "rule": f"self.metadata.name.matches('{DNS_LABEL}')",
                "message": "metadata.name must start with a letter and hold only a-z, 0-9 and '-'",
            },
            {
                "rule": f"size(self.metadata.name) <= {NAME_LIMIT}",
                "message": f"metadata.name must have at most {NAME_LIMIT} characters",
            },
        ],
    }


def _columns() -> list[Manifest]:
    ready = '.status.conditions[?(@.type=="Ready")]'
    return [
        _column("Ready", f"{ready}.status", "Whether the spec is rolled out and serves"),
        _column("Status", f"{ready}.reason", "Why, in a word"),
        _column("API", ".status.components.api.summary", "Available and desired API pods"),
        _column("Workers", ".status.components.worker.summary", "Available and desired worker pods"),
        _column("Version", ".status.version", "Version of the engine"),
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        _column("URL", ".status.url", "Address inside the cluster", wide=True),
        _column("Database", _reason("DatabaseReady"), "How the PostgreSQL does", wide=True),
        _column("Broker", _reason("BrokerReady"), "How the Redis does", wide=True),
        _column("Message", f"{ready}.message", "Why, in a sentence", wide=True),
    ]


def _reason(condition: str) -> str:
    return f'.status.conditions[?(@.type=="{condition}")].reason'


def _column(name: str, path: str, description: str, *, wide: bool = False) -> Manifest:
    column: Manifest = {"name": name, "type": "string", "jsonPath": path, "description": description}
    return column | {"priority": 1} if wide else column
