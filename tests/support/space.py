"""One namespace per test, with the operator's account and Role, volumes, and a data source's Secret."""

import base64
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from insight_operator import naming
from insight_operator.cluster import kinds, rbac
from support import audit
from support.kube_api import KubeApi, Manifest
from support.operator_process import OperatorProcess
from support.waiting import eventually

OPERATOR = "insight-operator"
NAME = "vanna"
_counter = itertools.count(1)


@dataclass
class Space:
    """Where one test happens.

    Attributes:
        kube: the API server as administrator, within the test's namespace.
        operator: the operator that looks after this namespace; a test starts it.
        audit_log: the API server's audit log.
    """

    kube: KubeApi
    operator: OperatorProcess
    audit_log: Path

    @property
    def namespace(self) -> str:
        """The namespace's name."""
        return self.kube.namespace

    def create_engine(self, name: str = NAME, **spec: Any) -> Manifest:
        """Create an InsightEngine with one data source and whatever else the test asks for."""
        return self.kube.create(engine_manifest(name, **spec))

    def engine(self, name: str = NAME) -> Manifest:
        """Return the InsightEngine."""
        found = self.kube.get(naming.KIND, name)
        assert found is not None, f"InsightEngine {name} is gone"
        return found

    def condition(self, kind: str, name: str = NAME) -> Manifest:
        """Return a condition; an empty one when it is not there yet."""
        conditions = self.engine(name).get("status", {}).get("conditions", ())
        return next((dict(found) for found in conditions if found["type"] == kind), {})

    def wait_for(
        self, kind: str, status: str = "True", reason: str = "", within_s: float = 90, name: str = NAME
    ) -> Manifest:
        """Wait until a condition of the present generation has a status (and reason); return it."""

        def check() -> Manifest | None:
            found = self.condition(kind, name)
            current = found.get("observedGeneration") == self.engine(name)["metadata"]["generation"]
            fits = found.get("status") == status and reason in {"", found.get("reason")}
            return found if current and fits else None

        try:
            return eventually(f"{kind}={status} {reason}", check, within_s)
        except AssertionError as late:
            status_text = json.dumps(self.engine(name).get("status", {}), indent=1)
            log = self.operator.log.read_text()[-4000:]
            raise AssertionError(f"{late}\n{status_text}\n{log}") from None

    def children(self) -> dict[tuple[str, str], Manifest]:
        """Return every live child but pods, Secrets included, by kind and name."""
        wanted = [kind.kind for kind in kinds.TABLE if kind.stage is not None]
        found = [item for kind in wanted for item in self.kube.list(kind)]
        return {
            (item["kind"], item["metadata"]["name"]): item
            for item in found
            if naming.ENGINE_LABEL in item["metadata"].get("labels", {})
        }

    def passwords(self) -> dict[str, dict[str, str]]:
        """Return the values of every Secret the operator made."""
        return {name: item["data"] for (kind, name), item in self.children().items() if kind == "Secret"}

    def writes(self, since: int) -> list[audit.Request]:
        """Return the operator's writes since a position in the audit log."""
        found = audit.requests(self.audit_log, self.user, since)
        return [request for request in found if request.is_write]

    @property
    def user(self) -> str:
        """The operator's user name."""
        return f"system:serviceaccount:{self.namespace}:{OPERATOR}"

    @property
    def token_file(self) -> Path:
        """The file that holds the operator's token."""
        return self.operator.log.with_suffix(".token")


def engine_manifest(name: str = NAME, **spec: Any) -> Manifest:
    """Return an InsightEngine with one data source."""
    source = {
        "name": "sales",
        "dialect": "postgres",
        "secretRef": {"name": "sales-readonly"},
        "schemas": ["public"],
        "roles": ["analyst"],
    }
    return {
        "apiVersion": naming.API_VERSION,
        "kind": naming.KIND,
        "metadata": {"name": name},
        "spec": {"dataSources": [source], **spec},
    }


def source_secret(labels: dict[str, str] | None = None) -> Manifest:
    """Return the Secret that the data source names."""
    uri = base64.b64encode(b"postgresql://reader:pw@sales.invalid/sales").decode()
    labels = {naming.USE_LABEL: "true"} if labels is None else labels
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "sales-readonly", "labels": labels},
        "data": {"uri": uri},
    }


def prepare(admin: KubeApi, folder: Path, audit_log: Path, *, source: bool = True) -> Space:
    """Make a namespace in which the operator may do what its Role says, and nothing else."""
    kube = make_namespace(admin, f"test-{next(_counter)}", source=source)
    kube.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": OPERATOR}})
    for manifest in rbac.in_namespace(kube.namespace, (kube.namespace, OPERATOR)):
        kube.create(manifest)
    kubeconfig = operator_login(kube, folder / "operator.kubeconfig")
    return Space(kube, OperatorProcess(kubeconfig, kube.namespace, folder / "operator.log"), audit_log)


def make_namespace(admin: KubeApi, namespace: str, *, source: bool = True) -> KubeApi:
    """Make a namespace with the volumes that an InsightEngine needs, and its data source's Secret."""
    admin.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    kube = admin.within(namespace)
    add_volumes(admin, namespace, NAME)
    if source:
        kube.create(source_secret())
    return kube


def add_volumes(admin: KubeApi, namespace: str, engine: str) -> None:
    """Make the volumes that an InsightEngine of this name needs."""
    for part in (naming.POSTGRES, naming.REDIS):
        _volume(admin, namespace, f"data-{engine}-{part}-0")


def _volume(admin: KubeApi, namespace: str, claim: str) -> None:
    """Make the volume that the claim will be bound to: the simulated cluster has no provisioner."""
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"{namespace}-{claim}"},
        "spec": {
            "capacity": {"storage": "1Ti"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": "/nonexistent"},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": namespace,
                "name": claim,
            },
        },
    }
    admin.request("POST", "/api/v1/persistentvolumes", volume)


def operator_login(kube: KubeApi, path: Path) -> Path:
    """Write a kubeconfig that logs in as the operator's ServiceAccount, its token in a file as in a pod."""
    write_token(kube, path.with_suffix(".token"))
    document = yaml.safe_load(kube.kubeconfig.read_text())
    document["users"][0]["user"] = {"tokenFile": path.with_suffix(".token").name}
    path.write_text(yaml.safe_dump(document))
    return path


def write_token(kube: KubeApi, path: Path) -> None:
    """Write a token of the operator's ServiceAccount, in place of an earlier one."""
    account = f"/api/v1/namespaces/{kube.namespace}/serviceaccounts/{OPERATOR}/token"
    path.write_text(kube.request("POST", account, {"spec": {"expirationSeconds": 3600}})["status"]["token"])
