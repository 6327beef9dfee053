"""One cluster, one operator and one InsightEngine `vanna` for every end-to-end test.

Tests leave `vanna` Ready behind them; those that need another engine make their own and delete it.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.cluster import gotools, paths, provider
from dev.images import build
from dev.install import (
    EXAMPLES,
    Image,
    install_operator,
    install_sample_source,
    make_namespace,
    secret_value,
    wait_ready,
)
from dev.kube import Kube
from support.engine_client import EngineClient

NAMESPACE = "e2e"
SYSTEM = "e2e-system"


@pytest.fixture(scope="session")
def cluster() -> Iterator[provider.Cluster]:
    """The cluster, for one run at a time: a second one would delete the first one's namespaces."""
    try:
        with paths.exclusive("e2e", wait=False):
            found = provider.acquire()
            if not found.real_pods:
                found.release()
                pytest.skip("NOT RUN: needs real pods; this machine can only simulate them")
            yield found
    except BlockingIOError:
        pytest.fail("Another run of tests/e2e uses the cluster: start this one when that has ended.")


@pytest.fixture(scope="session")
def images(cluster: provider.Cluster) -> dict[str, Image]:
    return dict(build.ensure(cluster))


@pytest.fixture(scope="session")
def helm_program() -> Path:
    return gotools.ensure(("helm",))["helm"]


@pytest.fixture(scope="session")
def system(cluster: provider.Cluster) -> Kube:
    """The operator's namespace, made anew."""
    return _fresh(Kube(cluster.kubeconfig, SYSTEM))


@pytest.fixture(scope="session")
def kube(cluster: provider.Cluster) -> Kube:
    """The engines' namespace, made anew with Pod Security "restricted" enforced."""
    return _fresh(Kube(cluster.kubeconfig, NAMESPACE))


def _fresh(kube: Kube) -> Kube:
    kube.run("delete", "namespace", kube.namespace, "--ignore-not-found", "--wait", timeout_s=180)
    make_namespace(kube)
    return kube


@pytest.fixture(scope="session")
def operator(kube: Kube, system: Kube, helm_program: Path, images: dict[str, Image]) -> Kube:
    """The namespace where helm has installed the operator and waited for it."""
    install_operator(system, helm_program, images, watch=kube.namespace)
    return system


@pytest.fixture(scope="session")
def seconds_to_ready(operator: Kube, kube: Kube, images: dict[str, Image]) -> float:
    """Apply the quickstart; return the seconds from `kubectl apply` to Ready."""
    install_sample_source(kube, images["postgres"])
    kube.run("rollout", "status", "deployment/sales", "--timeout=120s")
    kube.apply((EXAMPLES / "quickstart.yaml").read_text())
    return wait_ready(kube, "vanna", print)


@pytest.fixture
def vanna(seconds_to_ready: float, kube: Kube) -> Kube:
    """The namespace where `vanna` is Ready."""
    wait_ready(kube, "vanna", print)
    return kube


@pytest.fixture
def client(vanna: Kube) -> Iterator[EngineClient]:
    password = secret_value(vanna, "vanna-admin", "password")
    with vanna.forward("service/vanna-api", 8000) as url:
        engine = EngineClient(url, "admin", password)
        yield engine
        engine.close()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show, for a failed test, what the cluster looked like."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if report.when == "call" and report.failed and "kube" in getattr(item, "funcargs", {}):
        kube: Kube = item.funcargs["kube"]  # type: ignore[attr-defined]
        report.sections.append(("cluster", _snapshot(kube)))


def _snapshot(kube: Kube) -> str:
    parts = []
    for arguments in (
        ("get", "insightengines,pods,jobs,statefulsets,deployments,pvc", "-o", "wide"),
        ("get", "insightengines", "-o", 'jsonpath={range .items[*]}{.status}{"\\n"}{end}'),
        ("get", "events", "--sort-by=.lastTimestamp"),
    ):
        try:
            parts.append(kube.attempt(*arguments, timeout_s=20).stdout[-6000:])
        except subprocess.TimeoutExpired:
            parts.append(json.dumps({"timed out": arguments}))
    return "\n".join(parts)
