"""Watches that are lost, silent or refused: each is made anew, and what happened meanwhile is put right."""

import asyncio
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from dev.cluster.controlplane import ControlPlane
from insight_operator import naming
from insight_operator.cluster import client, kinds, login, rbac
from insight_operator.cluster.client import Client
from insight_operator.cluster.pulse import Pulse
from insight_operator.cluster.reflector import Reflector
from insight_operator.cluster.store import Key, Store
from support import async_waiting
from support import space as spaces
from support.kube_api import KubeApi
from support.operator_process import OperatorProcess
from support.space import NAME, OPERATOR, Space
from support.tcp_relay import TcpRelay
from support.waiting import eventually

KINDS = ("InsightEngine", "Service", "Pod", "Deployment")
AGE = "insight_operator_watch_age_seconds"
CONDITION = "insight_operator_engine_condition"


@pytest.fixture
def both(admin: KubeApi, control_plane: ControlPlane, tmp_path: Path) -> Iterator[tuple[Space, KubeApi]]:
    """An operator that never looks a second time, for two namespaces; the second may be deleted."""
    space = spaces.prepare(admin, tmp_path, control_plane.audit_log)
    other = spaces.make_namespace(admin, f"{space.namespace}-other")
    let_in(other, space)
    namespaces = f"{space.namespace},{other.namespace}"
    space.operator = OperatorProcess(
        tmp_path / "operator.kubeconfig",
        namespaces,
        tmp_path / "operator.log",
        INSIGHT_OPERATOR_RESYNC_S="3600",
    )
    space.operator.start()
    yield space, other
    space.operator.kill()


def let_in(kube: KubeApi, space: Space) -> None:
    """Give the operator of a space its rights in this namespace too."""
    for manifest in rbac.in_namespace(kube.namespace, (space.namespace, OPERATOR)):
        kube.create(manifest)


def test_a_namespace_that_is_deleted_ends_nothing_and_is_taken_up_again(
    both: tuple[Space, KubeApi], admin: KubeApi
) -> None:
    space, other = both
    pid = space.operator.pid
    space.create_engine()
    other.create(spaces.engine_manifest("gone"))
    shown = {"namespace": other.namespace, "condition": "Reconciling"}
    eventually("it is shown", lambda: space.operator.metric(CONDITION, **shown) == 1, 60)
    admin.request("DELETE", f"/api/v1/namespaces/{other.namespace}")
    eventually("it is gone", lambda: not is_there(admin, other.namespace), 90)
    eventually("it is shown no more", lambda: space.operator.metric(CONDITION, **shown) == 0, 60)

    space.wait_for("Ready")
    space.kube.delete("Service", "vanna-api")
    eventually("the Service is back", lambda: space.kube.get("Service", "vanna-api"), 30)
    space.kube.patch(naming.KIND, NAME, {"spec": {"api": {"replicas": 3}}})
    eventually("a watch told of it", lambda: space.engine()["status"]["observedGeneration"] == 2, 30)
    assert (space.operator.running, space.operator.pid) == (True, pid)
    for kind in KINDS:
        assert space.operator.metric(AGE, kind=kind) < 150, kind

    admin.request("POST", "/api/v1/namespaces", {"metadata": {"name": other.namespace}})
    let_in(other, space)
    other.create(spaces.source_secret())
    other.create(spaces.engine_manifest("again"))
    eventually("the new engine is seen", lambda: other.get("Service", "again-api"), 120)
    other.delete("Service", "again-api")
    eventually("its children are watched", lambda: other.get("Service", "again-api"), 120)
    assert (space.operator.running, space.operator.pid) == (True, pid)


def is_there(admin: KubeApi, namespace: str) -> bool:
    found = admin.request("GET", "/api/v1/namespaces")["items"]
    return any(item["metadata"]["name"] == namespace for item in found)


async def test_a_watch_that_falls_silent_is_made_anew_and_misses_nothing(
    space: Space, control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence is shortened from 75 seconds to 2, less than the minute between two bookmarks."""
    monkeypatch.setattr(client, "_WATCHING", aiohttp.ClientTimeout(sock_connect=5, sock_read=2))
    found = login.from_kubeconfig(control_plane.kubeconfig)
    store, pulse, woken = Store(), Pulse(), set[Key]()
    async with TcpRelay(urlsplit(found.server).port or 0) as relay:
        reached = Client(dataclasses.replace(found, server=f"https://127.0.0.1:{relay.port}"))
        follower = Reflector(reached, store, pulse, woken.update, kinds.CONFIG_MAP, space.namespace)
        following = asyncio.create_task(follower.run(None))
        await async_waiting.true("it watches", pulse.ages, 20)
        relay.fall_silent()
        labels = {naming.ENGINE_LABEL: NAME}
        manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "late", "labels": labels}}
        await asyncio.to_thread(space.kube.create, manifest)
        await async_waiting.true("it is seen", lambda: (space.namespace, NAME) in woken, 30)
        following.cancel()
        await reached.close()
    assert store.get("ConfigMap", space.namespace, "late") is not None
