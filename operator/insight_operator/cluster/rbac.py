"""The operator's rights as manifests: made from the table of kinds, so that it asks for what it does. Pure.

Run cluster-wide it gets no right to Secrets with its ClusterRole: each namespace grants that by a Role.
"""

from typing import Any, Final

from insight_operator.cluster import kinds

Manifest = dict[str, Any]

NAME: Final = "insight-operator"
API_GROUP: Final = "rbac.authorization.k8s.io"
SECRETS_SUFFIX: Final = "-secrets"


def cluster_rules() -> list[kinds.Rule]:
    """Return what a cluster-wide operator may do everywhere: all but what concerns Secrets."""
    return kinds.rules(kind for kind in kinds.TABLE if kind is not kinds.SECRET)


def secret_rules() -> list[kinds.Rule]:
    """Return what a namespace grants to a cluster-wide operator to have its InsightEngines run."""
    return kinds.rules((kinds.SECRET,))


def in_namespace(namespace: str, account: tuple[str, str], name: str = NAME) -> tuple[Manifest, ...]:
    """Return the rights of an operator that watches this namespace by name.

    Args:
        namespace: where InsightEngines are to be run.
        account: namespace and name of the operator's ServiceAccount.
        name: of the Role and its binding.
    """
    return _granted("Role", name, kinds.rules(), account, namespace)


def in_cluster(account: tuple[str, str], name: str = NAME) -> tuple[Manifest, ...]:
    """Return the rights of an operator that watches all namespaces, Secrets left out."""
    return _granted("ClusterRole", name, cluster_rules(), account)


def secrets_in(namespace: str, account: tuple[str, str], name: str = NAME) -> tuple[Manifest, ...]:
    """Return what opts a namespace into a cluster-wide operator: the use of its Secrets."""
    return _granted("Role", f"{name}{SECRETS_SUFFIX}", secret_rules(), account, namespace)


def _granted(
    kind: str, name: str, rules: list[kinds.Rule], account: tuple[str, str], namespace: str = ""
) -> tuple[Manifest, ...]:
    """Return a role and what binds it to the account."""
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    role: Manifest = {"apiVersion": f"{API_GROUP}/v1", "kind": kind, "metadata": metadata, "rules": rules}
    binding: Manifest = {
        "apiVersion": f"{API_GROUP}/v1",
        "kind": f"{kind}Binding",
        "metadata": metadata,
        "roleRef": {"apiGroup": API_GROUP, "kind": kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account[1], "namespace": account[0]}],
    }
    return role, binding
