"""One operator for every namespace: its rights come from a ClusterRole, those to Secrets from each namespace.

Roles are what `insight-operator rbac` prints, so what is tested is what people apply.
"""

import io
import shlex
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import yaml

from dev.cluster.controlplane import ControlPlane
from insight_operator.__main__ import main
from support import audit
from support import space as spaces
from support.kube_api import KubeApi, Manifest
from support.operator_process import OperatorProcess
from support.space import OPERATOR, Space
from support.waiting import eventually

SYSTEM = "wide-system"
ACCOUNT = f"{SYSTEM}/{OPERATOR}"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


@pytest.fixture
def operator(admin: KubeApi, tmp_path: Path) -> Iterator[OperatorProcess]:
    """The operator of all namespaces, not started."""
    admin.request("POST", "/api/v1/namespaces", {"metadata": {"name": SYSTEM}})
    system = admin.within(SYSTEM)
    system.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": OPERATOR}})
    granted = apply(admin, "rbac", "--cluster", "--service-account", ACCOUNT)
    kubeconfig = spaces.operator_login(system, tmp_path / "operator.kubeconfig")
    process = OperatorProcess(kubeconfig, "*", tmp_path / "operator.log")
    yield process
    process.kill()
    for manifest in granted:
        admin.request("DELETE", place(manifest, manifest["metadata"]["name"]))


def apply(admin: KubeApi, *arguments: str) -> list[Manifest]:
    """Create what a command of the operator prints."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        assert main(arguments) == 0
    manifests = list(yaml.safe_load_all(printed.getvalue()))
    for manifest in manifests:
        admin.request("POST", place(manifest), manifest)
    return manifests


def place(manifest: Manifest, name: str = "") -> str:
    namespace = manifest["metadata"].get("namespace")
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"{_RBAC}{within}/{manifest['kind'].lower()}s/{name}".rstrip("/")


def may(admin: KubeApi, verb: str, resource: str, namespace: str = "", subresource: str = "") -> bool:
    """Ask the API server whether the operator may do something."""
    asked = {"verb": verb, "resource": resource, "subresource": subresource, "namespace": namespace}
    user = f"system:serviceaccount:{SYSTEM}:{OPERATOR}"
    review = {"spec": {"user": user, "resourceAttributes": asked}}
    return bool(admin.request("POST", _REVIEWS, review)["status"]["allowed"])


@pytest.mark.timeout(600)
def test_every_namespace_is_looked_after_once_it_lets_its_secrets_be_used(
    admin: KubeApi, control_plane: ControlPlane, operator: OperatorProcess
) -> None:
    def team(name: str) -> Space:
        kube = spaces.make_namespace(admin, name)
        return Space(kube, operator, control_plane.audit_log)

    start = audit.position(control_plane.audit_log)
    opted_in, left_out = team("wide-a"), team("wide-b")
    apply(admin, "rbac", "--cluster", "--namespace", "wide-a", "--service-account", ACCOUNT)
    for space in (opted_in, left_out):
        space.create_engine()
    operator.start()

    # The one that opted in runs; the other one says what is missing, and nothing was made there.
    stalled = left_out.wait_for("Stalled", reason="Forbidden")
    opted_in.wait_for("Ready")
    assert left_out.children() == {}
    sentence, command = stalled["message"].split("run: ")
    assert "Secrets in the namespace wide-b" in sentence

    # The command in the message is the cure, as it stands there.
    words = shlex.split(command.removesuffix(" | kubectl apply -f -"))
    assert words[0] == "insight-operator"
    role, _ = apply(admin, *words[1:])

    # A namespace that is made later needs nothing but the same.
    late = team("wide-c")
    apply(admin, "rbac", "--cluster", "--namespace", "wide-c", "--service-account", ACCOUNT)
    late.create_engine()
    for space in (left_out, late):
        space.wait_for("Ready", within_s=120)

    # What is deleted by hand in any of them comes back.
    for space in (opted_in, late):
        before = space.kube.get("Service", "vanna-api") or {}
        space.kube.delete("Service", "vanna-api")

        def back(space: Space = space, before: Manifest = before) -> bool:
            found = space.kube.get("Service", "vanna-api")
            return found is not None and found["metadata"]["uid"] != before["metadata"]["uid"]

        eventually(f"the Service of {space.namespace} is back", back, 30)

    # A right that is taken away is told, and taken up again when it is back.
    left_out.kube.delete("Role", role["metadata"]["name"])
    left_out.wait_for("Stalled", reason="Forbidden", within_s=120)
    admin.request("POST", place(role), role)
    left_out.wait_for("Ready", within_s=120)

    # It got by without more rights, and has no more.
    assert may(admin, "get", "secrets", "wide-a")
    assert not may(admin, "get", "secrets", "kube-system")
    for verb in ("list", "watch", "delete"):
        assert not may(admin, verb, "secrets", "wide-a")
    assert not may(admin, "create", "pods", "wide-a", "exec")
    assert not may(admin, "create", "clusterrolebindings")
    asked = audit.requests(control_plane.audit_log, f"system:serviceaccount:{SYSTEM}:{OPERATOR}", start)
    assert {request.verb for request in asked if request.resource == "secrets"} <= {"get", "create", "patch"}
