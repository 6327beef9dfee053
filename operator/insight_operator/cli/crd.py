"""What `insight-operator crd` prints: the CustomResourceDefinition."""

from insight_operator.cli.output import to_yaml
from insight_operator.crd.manifest import custom_resource_definition


def text() -> str:
    """Return the CustomResourceDefinition as YAML."""
    return to_yaml(custom_resource_definition())
