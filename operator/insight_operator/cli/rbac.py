"""What `insight-operator rbac` prints: Roles and their bindings, ready for `kubectl apply -f -`."""

from collections.abc import Sequence

from insight_operator.cli.output import to_yaml
from insight_operator.cluster import rbac


def text(namespaces: Sequence[str], account: tuple[str, str], name: str, *, cluster: bool) -> str:
    """Return the manifests as YAML.

    Args:
        namespaces: where InsightEngines are to be run; none: the account's own, or with `cluster` everywhere.
        account: namespace and name of the operator's ServiceAccount.
        name: of the roles and their bindings.
        cluster: whether the operator watches all namespaces.
    """
    if cluster and not namespaces:
        made = rbac.in_cluster(account, name)
    else:
        grant = rbac.secrets_in if cluster else rbac.in_namespace
        made = tuple(part for place in namespaces or account[:1] for part in grant(place, account, name))
    return "---\n".join(to_yaml(manifest) for manifest in made)
