"""An InsightEngine becomes what it says, with the operator's Role and nothing more."""

import pytest

from support.space import Space


def test_it_becomes_ready_and_says_so(ready: Space) -> None:
    status = ready.engine()["status"]
    assert status["observedGeneration"] == 1
    assert ready.condition("Reconciling")["status"] == "False"
    assert ready.condition("Stalled")["status"] == "False"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Deployment", "vanna-api"),
        ("Deployment", "vanna-worker"),
        ("StatefulSet", "vanna-postgres"),
        ("StatefulSet", "vanna-redis"),
        ("Service", "vanna-api"),
        ("Secret", "vanna-state"),
    ],
)
def test_the_children_have_their_contract_names(ready: Space, kind: str, name: str) -> None:
    assert (kind, name) in ready.children()
