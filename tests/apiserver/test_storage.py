"""Volumes grow in place; what the StorageClass forbids is told and disturbs nothing."""

from support.kube_api import KubeApi, Manifest
from support.space import Space
from support.waiting import eventually

CLASS = "growing"
CLAIM = "data-grown-postgres-0"


def make_class(admin: KubeApi, name: str, *, may_grow: bool) -> None:
    made = {"metadata": {"name": name}, "provisioner": "none.invalid", "allowVolumeExpansion": may_grow}
    admin.request("POST", "/apis/storage.k8s.io/v1/storageclasses", made)


def make_volume(admin: KubeApi, namespace: str, claim: str, storage_class: str) -> None:
    claimed = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace, "name": claim}
    spec = {
        "capacity": {"storage": "1Ti"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": "/nonexistent"},
        "claimRef": claimed,
        "storageClassName": storage_class,
    }
    volume = {"metadata": {"name": f"{namespace}-{claim}"}, "spec": spec}
    admin.request("POST", "/api/v1/persistentvolumes", volume)


def storage(size: str) -> Manifest:
    return {"managed": {"storage": {"size": size, "storageClassName": CLASS}}}


def test_a_volume_grows_in_place_and_a_fixed_one_is_told(space: Space, admin: KubeApi) -> None:
    make_class(admin, CLASS, may_grow=True)
    for part in ("postgres", "redis"):
        make_volume(admin, space.namespace, f"data-grown-{part}-0", CLASS)
    space.operator.start()
    space.create_engine("grown", database=storage("10Gi"), broker=storage("1Gi"))
    space.wait_for("Ready", name="grown")
    before = {kind: space.kube.get(kind, name) for kind, name in workloads(space)}

    space.kube.patch("InsightEngine", "grown", {"spec": {"database": storage("20Gi")}})
    eventually("the claim grown", lambda: requested(space) == "20Gi", 20)
    space.wait_for("Ready", name="grown")
    assert {kind: uid(found) for kind, found in before.items()} == {
        kind: uid(space.kube.get(kind, name)) for kind, name in workloads(space)
    }

    path = f"/apis/storage.k8s.io/v1/storageclasses/{CLASS}"
    admin.request("DELETE", path)
    make_class(admin, CLASS, may_grow=False)
    space.kube.patch("InsightEngine", "grown", {"spec": {"database": storage("30Gi")}})
    stalled = space.wait_for("Stalled", name="grown")
    assert CLAIM in stalled["message"], stalled
    assert requested(space) == "20Gi"
    assert space.condition("Available", "grown")["status"] == "True"


def workloads(space: Space) -> list[tuple[str, str]]:
    found = space.kube.list("Pod")
    names = [
        ("Pod", pod["metadata"]["name"]) for pod in found if pod["metadata"]["name"] == "grown-postgres-0"
    ]
    return [("StatefulSet", "grown-postgres"), *names]


def uid(found: Manifest | None) -> str:
    assert found is not None
    return str(found["metadata"]["uid"])


def requested(space: Space) -> str:
    claim = space.kube.get("PersistentVolumeClaim", CLAIM)
    return "" if claim is None else str(claim["spec"]["resources"]["requests"]["storage"])
