"""Pods die; the engine goes on, and says the truth meanwhile."""

import time

import pytest

from dev.install import condition, wait_ready
from dev.kube import Kube
from support.engine_client import EngineClient
from support.waiting import eventually

# Some seconds of honest work for the database: about 40 million rows counted.
SLOW = """
SELECT count(*) FROM orders a CROSS JOIN orders b CROSS JOIN customers c WHERE a.amount + b.amount + c.id > 0
"""
KILL_CELERY_CHILDREN = """
import os, pathlib, signal
for entry in pathlib.Path("/proc").iterdir():
    if not entry.name.isdigit() or int(entry.name) in (1, os.getpid()):
        continue
    try:
        parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        continue
    if parent == 1:
        os.kill(int(entry.name), signal.SIGKILL)
"""


def _restarts(kube: Kube, component: str) -> int:
    pods = kube.list("pods", f"app=vanna-{component}")
    return sum(status["restartCount"] for pod in pods for status in pod["status"]["containerStatuses"])


def test_a_lost_database_is_told_and_recovered_from_without_a_restart(vanna: Kube) -> None:
    before = {component: _restarts(vanna, component) for component in ("api", "worker")}
    vanna.run("delete", "pod", "vanna-postgres-0", "--wait=false")

    def told() -> bool:
        ready = condition(vanna.get("insightengine", "vanna") or {}, "Ready")
        return ready.get("status") == "False" and ready.get("reason") == "DatabaseUnreachable"

    eventually("Ready=False with DatabaseUnreachable", told, within_s=15)
    seconds = wait_ready(vanna, "vanna", print, timeout_s=120)
    print(f"\nReady again {seconds:.1f} s after it was told")
    assert {component: _restarts(vanna, component) for component in ("api", "worker")} == before


@pytest.mark.parametrize("victim", ["processes", "pod"])
def test_a_query_outlives_the_worker_that_ran_it(vanna: Kube, client: EngineClient, victim: str) -> None:
    query = client.submit("sales", SLOW, wait_s=0).json()
    eventually("the query running", lambda: client.query(query["id"])["state"] == "running", within_s=20)
    killed = time.monotonic()
    for pod in vanna.list("pods", "app=vanna-worker"):
        name = pod["metadata"]["name"]
        if victim == "pod":
            vanna.run("delete", "pod", name, "--force", "--grace-period=0", "--wait=false")
        else:
            vanna.run("exec", name, "--", "/opt/insight/bin/python", "-c", KILL_CELERY_CHILDREN)
    ended = eventually(
        "the query's end",
        lambda: found if (found := client.query(query["id"]))["state"] not in {"queued", "running"} else None,
        within_s=120,
        every_s=0.25,
    )
    waited = time.monotonic() - killed
    print(f"\n{victim} killed: {ended['state']} on attempt {ended['attempt']} after {waited:.1f} s")
    if ended["state"] == "succeeded":
        assert ended["attempt"] > 1
    else:
        assert (ended["state"], ended["error"]["code"]) == ("failed", "worker_lost")
    wait_ready(vanna, "vanna", print)


def test_without_redis_queries_are_still_answered(vanna: Kube, client: EngineClient) -> None:
    vanna.run("delete", "pod", "vanna-redis-0", "--wait=false")
    assert client.rows("sales", "SELECT count(*) FROM orders") == [[1000]]
    wait_ready(vanna, "vanna", print, timeout_s=120)
