"""The quickstart, as its users see it."""

import re
import uuid

import httpx

from dev.kube import Kube
from support.engine_client import EngineClient
from support.waiting import eventually

BY_COUNTRY = """
SELECT c.country, count(*) AS orders, sum(o.amount) AS revenue
FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY c.country ORDER BY c.country
"""


def test_is_ready_within_45_seconds_of_apply(seconds_to_ready: float) -> None:
    print(f"\nO1: {seconds_to_ready:.1f} s from kubectl apply to Ready")
    assert seconds_to_ready <= 45


def test_kubectl_get_shows_the_promised_columns(vanna: Kube) -> None:
    header, row = vanna.run("get", "insightengines").splitlines()
    assert header.split() == ["NAME", "READY", "STATUS", "API", "WORKERS", "VERSION", "AGE"]
    assert row.split()[:5] == ["vanna", "True", "AllComponentsReady", "2/2", "2/2"]
    wide = vanna.run("get", "ie", "-o", "wide").splitlines()[0].split()
    assert wide[7:] == ["URL", "DATABASE", "BROKER", "MESSAGE"]


def test_the_deployment_and_its_pods_carry_the_promised_names(vanna: Kube) -> None:
    assert "successfully rolled out" in vanna.run(
        "rollout", "status", "deployment/vanna-api", "--timeout=60s"
    )
    assert len(vanna.list("pods", "app=vanna-api")) == 2


def test_describe_pod_shows_the_contracts_probe_lines(vanna: Kube) -> None:
    described = vanna.run("describe", "pods", "-l", "app=vanna-api")
    liveness = re.findall(r"Liveness: +http-get http://:http/health/live (.*)", described)
    readiness = re.findall(r"Readiness: +http-get http://:http/health (.*)", described)
    assert liveness == ["delay=30s timeout=5s period=10s #success=1 #failure=3"] * 2
    assert readiness == ["delay=10s timeout=3s period=5s #success=1 #failure=2"] * 2


def test_every_pod_was_admitted_under_the_restricted_profile(vanna: Kube) -> None:
    namespace = vanna.get("namespace", vanna.namespace)
    assert namespace is not None
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    components = {pod["metadata"]["labels"].get("app") for pod in vanna.list("pods")}
    assert {"vanna-api", "vanna-worker", "vanna-postgres", "vanna-redis"} <= components
    refused = [event for event in vanna.list("events") if "violates PodSecurity" in event.get("message", "")]
    assert refused == []


def test_a_query_returns_the_right_rows(client: EngineClient) -> None:
    rows = client.rows("sales", BY_COUNTRY)
    assert [row[0] for row in rows] == ["Chile", "Ghana", "Japan", "Norway"]
    assert sum(int(row[1]) for row in rows) == 1000
    expected = sum((n % 97) * 10 + 0.50 for n in range(1, 1001))
    assert sum(float(row[2]) for row in rows) == expected


def test_a_result_is_paged_without_loss(client: EngineClient) -> None:
    query = client.submit("sales", "SELECT id FROM orders ORDER BY id").json()
    seen: list[int] = []
    cursor: str | None = None
    pages = 0
    while pages == 0 or cursor:
        page = client.page(query["id"], limit=300, **({"cursor": cursor} if cursor else {}))
        seen += [row[0] for row in page["rows"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert seen == list(range(1, 1001))
    assert pages == 4


def test_the_correlation_id_reaches_the_workers_log(client: EngineClient, vanna: Kube) -> None:
    given = uuid.uuid4().hex
    body = {"datasource": "sales", "sql": "SELECT count(*) FROM customers", "wait_s": 20}
    answer = client.http.post("/api/v1/queries", json=body, headers={"X-Correlation-ID": given})
    assert answer.headers["X-Correlation-ID"] == given
    eventually(
        "the correlation id in a worker's log",
        lambda: given in vanna.run("logs", "-l", "app=vanna-worker", "--tail=500", "--prefix"),
        within_s=10,
    )


def test_a_statement_that_writes_is_refused_with_a_reason(client: EngineClient) -> None:
    answer = client.submit("sales", "DELETE FROM orders")
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert answer.json()["reasons"]
    assert client.rows("sales", "SELECT count(*) FROM orders") == [[1000]]


def test_a_wrong_password_is_refused_without_saying_which_part_was_wrong(client: EngineClient) -> None:
    bodies = []
    for username in ("admin", "nobody-of-that-name"):
        answer = httpx.post(
            f"{client.http.base_url}/api/v1/auth/token",
            json={"username": username, "password": "wrong-password"},
        )
        assert answer.status_code == 401
        bodies.append({**answer.json(), "correlation_id": None})
    assert bodies[0] == bodies[1]


def test_an_oversized_body_is_refused(client: EngineClient) -> None:
    answer = client.submit("sales", "SELECT '" + "x" * 4_000_000 + "'")
    assert answer.status_code == 413
    assert "KiB" in answer.json()["detail"]


def test_no_credential_appears_outside_secrets(vanna: Kube, operator: Kube) -> None:
    import base64

    passwords = {
        base64.b64decode(value).decode()
        for secret in vanna.list("secrets")
        for key, value in secret["data"].items()
        if key in {"password", "keyset.json"}
    }
    assert len(passwords) >= 6
    shown = [
        vanna.run("get", "insightengines,pods,configmaps,jobs,deployments,statefulsets,events", "-o", "yaml"),
        *(
            vanna.run("logs", "-l", f"app=vanna-{component}", "--all-containers", "--tail=-1")
            for component in ("api", "worker", "postgres", "redis", "migrate")
        ),
        operator.run("logs", "deployment/insight-operator", "--tail=-1"),
    ]
    for password in passwords:
        assert not any(password in text for text in shown)
