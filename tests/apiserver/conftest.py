"""A real API server with controllers, pods played by kwok, and the real operator as its ServiceAccount."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.cluster.controlplane import ControlPlane
from insight_operator.crd.manifest import custom_resource_definition
from support import space as spaces
from support.kube_api import KubeApi
from support.space import Space
from support.waiting import eventually

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@pytest.fixture(scope="session", autouse=True)
def polite_end() -> Iterator[None]:
    """Let a run that is told to stop take its processes down."""
    earlier = signal.signal(signal.SIGTERM, lambda *_: pytest.exit("told to stop", returncode=143))
    yield
    signal.signal(signal.SIGTERM, earlier)


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with ControlPlane(tmp_path_factory.mktemp("control-plane"), controllers=True, kwok=True) as started:
        yield started


@pytest.fixture(scope="session")
def admin(control_plane: ControlPlane) -> KubeApi:
    kube = KubeApi(control_plane.kubeconfig)
    kube.request("POST", _CRDS, custom_resource_definition())

    def served() -> bool:
        path = f"{_CRDS}/insightengines.insightengine.io"
        conditions = kube.request("GET", path).get("status", {}).get("conditions") or ()
        return any(found["type"] == "Established" and found["status"] == "True" for found in conditions)

    eventually("the CRD is established", served, 20)
    return kube


@pytest.fixture
def unprepared(admin: KubeApi, control_plane: ControlPlane, tmp_path: Path) -> Iterator[Space]:
    """A namespace without the data source's Secret, its operator not started."""
    made = spaces.prepare(admin, tmp_path, control_plane.audit_log, source=False)
    yield made
    made.operator.kill()


@pytest.fixture
def space(admin: KubeApi, control_plane: ControlPlane, tmp_path: Path) -> Iterator[Space]:
    """A namespace ready for an InsightEngine, its operator not started."""
    made = spaces.prepare(admin, tmp_path, control_plane.audit_log)
    yield made
    made.operator.kill()


@pytest.fixture
def ready(space: Space) -> Space:
    """A namespace with a running operator and an InsightEngine that is Ready and at rest."""
    space.operator.start()
    space.create_engine()
    space.wait_for("Ready")
    return space
