"""Who reaches whom by the overlays' NetworkPolicies, computed over the pods that the operator renders.

The rules are Kubernetes' own: policies add up, and a pod that some policy selects for a direction is closed
but for what they allow.
"""

from itertools import product
from typing import Any

import pytest

from support.k8s_overlays import OVERLAYS, documents, pods

Labels = dict[str, str]
OPERATOR = {"app.kubernetes.io/name": "insight-operator"}
DNS = {"k8s-app": "kube-dns"}
ELSEWHERE = {
    "operator": ("insight-system", OPERATOR),
    "dns": ("kube-system", DNS),
    "stranger": ("elsewhere", {"app": "vanna-api"}),
}
INSIDE = ("api", "worker", "migrate", "postgres", "redis")
PORTS = (8000, 9090, 5432, 6379, 53, 443)
# (from, to, port): everything else is refused.
ALLOWED = {
    *(("stranger", "api", 8000), ("operator", "api", 8000), ("dns", "api", 8000)),
    *(("operator", "api", 9090), ("operator", "worker", 9090)),
    *(("api", "postgres", 5432), ("api", "redis", 6379), ("api", "dns", 53)),
    *(("worker", "postgres", 5432), ("worker", "redis", 6379), ("worker", "dns", 53)),
    *(("worker", "stranger", 5432), ("worker", "operator", 5432), ("worker", "dns", 5432)),
    *(("migrate", "postgres", 5432), ("migrate", "dns", 53)),
}


def selects(selector: dict[str, Any], labels: Labels) -> bool:
    wanted = selector.get("matchLabels", {})
    expressions = selector.get("matchExpressions", [])
    assert all(expression["operator"] == "In" for expression in expressions)
    return wanted.items() <= labels.items() and all(
        labels.get(expression["key"]) in expression["values"] for expression in expressions
    )


def peer_matches(peer: dict[str, Any], own: str, namespace: str, labels: Labels) -> bool:
    if "ipBlock" in peer:  # stands for any address but link-local: every pod has one
        return True
    if "namespaceSelector" in peer:
        if not selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": namespace}):
            return False
    elif namespace != own:
        return False
    return selects(peer.get("podSelector", {}), labels)


def direction_allows(
    policies: list[dict[str, Any]],
    direction: str,
    subject: tuple[str, Labels],
    other: tuple[str, Labels],
    port: int,
) -> bool:
    """Whether the policies of the subject's namespace let this direction of a connection through."""
    key, peers = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
    chosen = [
        policy
        for policy in policies
        if policy["metadata"]["namespace"] == subject[0]
        and direction in policy["spec"]["policyTypes"]
        and selects(policy["spec"]["podSelector"], subject[1])
    ]
    if not chosen:
        return True
    return any(
        any(entry["port"] == port for entry in rule["ports"])
        and (peers not in rule or any(peer_matches(peer, subject[0], *other) for peer in rule[peers]))
        for policy in chosen
        for rule in policy["spec"].get(key, [])
    )


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_role_reaches_what_it_needs_and_nothing_else(overlay: str) -> None:
    policies = [each for each in documents(overlay) if each["kind"] == "NetworkPolicy"]
    places = {
        **{name: (f"vanna-{overlay}", pods(overlay)[name]["metadata"]["labels"]) for name in INSIDE},
        **ELSEWHERE,
    }
    open_ = {
        (source, target, port)
        for source, target, port in product(places, places, PORTS)
        if (source in INSIDE or target in INSIDE)
        and direction_allows(policies, "Egress", places[source], places[target], port)
        and direction_allows(policies, "Ingress", places[target], places[source], port)
    }
    assert open_ == ALLOWED
    # Servers keep others out by themselves, whatever those may send.
    let_in = {
        (source, target, port)
        for source, target, port in product(places, ("postgres", "redis", "migrate", "worker"), PORTS)
        if direction_allows(policies, "Ingress", places[target], places[source], port)
    }
    assert let_in == {row for row in ALLOWED if row[1] in {"postgres", "redis", "migrate", "worker"}}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_policy_of_a_role_selects_its_pods_alone(overlay: str) -> None:
    for policy in documents(overlay):
        name = policy["metadata"]["name"]
        if policy["kind"] == "NetworkPolicy" and name.startswith("vanna-"):
            selected = {
                component
                for component, template in pods(overlay).items()
                if selects(policy["spec"]["podSelector"], template["metadata"]["labels"])
            }
            assert selected == {name.split("-")[1]}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_workers_never_reach_link_local_addresses(overlay: str) -> None:
    blocks = [
        peer["ipBlock"]
        for policy in documents(overlay)
        if policy["kind"] == "NetworkPolicy"
        for rule in policy["spec"].get("egress", [])
        for peer in rule.get("to", [])
        if "ipBlock" in peer
    ]
    assert [block["except"] for block in blocks] == [["169.254.0.0/16"]]
