"""What a deleted InsightEngine leaves behind, and what a new one of the same name takes up."""

from collections.abc import Iterator

import pytest

from dev.install import secret_value, wait_ready
from dev.kube import Kube
from support.engine_client import EngineClient
from support.waiting import eventually

KINDS = (
    "serviceaccounts,configmaps,secrets,services,statefulsets,deployments,jobs,poddisruptionbudgets,pods,pvc"
)
MANIFEST = """
apiVersion: insightengine.io/v1alpha1
kind: InsightEngine
metadata: {{name: brief}}
spec:
  deletionPolicy: {policy}
  api: {{replicas: 1}}
  workers: {{replicas: 1}}
  dataSources:
    - name: sales
      dialect: postgres
      secretRef: {{name: sales-readonly}}
      schemas: [public]
      roles: [admin]
"""
CREDENTIALS = ["admin", "broker", "broker-admin", "database", "database-admin", "jwt", "state"]
RETAINED = sorted(
    [f"Secret/brief-{name}" for name in CREDENTIALS]
    + [f"PersistentVolumeClaim/data-brief-{server}-0" for server in ("postgres", "redis")]
)


def traces(kube: Kube) -> list[str]:
    """Everything in the namespace that is of the engine `brief`."""
    found = kube.run(
        "get", KINDS, "-o", "jsonpath={range .items[*]}{.kind}/{.metadata.name}{'\\n'}{end}"
    ).split()
    return sorted(name for name in found if "/brief-" in name or "/data-brief-" in name)


@pytest.fixture
def brief(vanna: Kube) -> Iterator[Kube]:
    """The namespace; whatever is left of `brief` is removed afterwards."""
    yield vanna
    vanna.run("delete", "insightengine", "brief", "--ignore-not-found", "--wait")
    eventually("only retained objects", lambda: set(traces(vanna)) <= set(RETAINED), within_s=90, every_s=0.5)
    for name in traces(vanna):
        vanna.run("delete", name, "--wait=false")


def test_delete_leaves_nothing(brief: Kube) -> None:
    brief.apply(MANIFEST.format(policy="Delete"))
    wait_ready(brief, "brief", print)
    brief.run("delete", "insightengine", "brief", "--wait")
    eventually("every trace gone", lambda: not traces(brief), within_s=90, every_s=0.5)


@pytest.mark.parametrize("operator_is", ["up", "down"])
def test_retain_keeps_exactly_volumes_and_credentials_and_they_are_taken_up_again(
    brief: Kube, operator: Kube, operator_is: str
) -> None:
    brief.apply(MANIFEST.format(policy="Retain"))
    wait_ready(brief, "brief", print)
    password = secret_value(brief, "brief-admin", "password")
    with brief.forward("service/brief-api", 8000) as url:
        asked = EngineClient(url, "admin", password).submit("sales", "SELECT count(*) FROM orders").json()

    if operator_is == "down":
        operator.run("scale", "deployment/insight-operator", "--replicas=0")
        operator.run(
            "wait", "--for=delete", "pod", "-l", "app.kubernetes.io/name=insight-operator", "--timeout=60s"
        )
    brief.run("delete", "insightengine", "brief", "--wait", "--timeout=30s")
    eventually("exactly what is retained", lambda: traces(brief) == RETAINED, within_s=90, every_s=0.5)
    operator.run("scale", "deployment/insight-operator", "--replicas=1")
    operator.run("rollout", "status", "deployment/insight-operator", "--timeout=60s")
    assert traces(brief) == RETAINED

    brief.apply(MANIFEST.format(policy="Retain"))
    wait_ready(brief, "brief", print)
    assert secret_value(brief, "brief-admin", "password") == password
    with brief.forward("service/brief-api", 8000) as url:
        again = EngineClient(url, "admin", password)
        assert again.query(asked["id"])["state"] == "succeeded"
