"""The operator outlives its API server: what happened meanwhile is put right as soon as it is back."""

import socket
from urllib.parse import urlsplit

from dev.cluster.controlplane import ControlPlane
from insight_operator import naming
from support.space import NAME, Space
from support.waiting import eventually


def is_free(url: str) -> bool:
    """Tell whether a new server could listen where the killed one did."""
    address = urlsplit(url)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.hostname, address.port))
        except OSError:
            return False
    return True


def test_a_restart_of_the_api_server_is_survived(ready: Space, control_plane: ControlPlane) -> None:
    pid = ready.operator.pid
    control_plane.kill_api_server()
    eventually("its port is free", lambda: is_free(control_plane.url), 20)
    control_plane.start_api_server()
    ready.kube.delete("Service", "vanna-api")
    eventually("the Service is back", lambda: ready.kube.get("Service", "vanna-api"), 20)
    assert ready.operator.running
    assert ready.operator.pid == pid


def test_what_changed_while_the_operator_was_down_is_put_right(ready: Space) -> None:
    ready.operator.kill()
    ready.kube.delete("Service", "vanna-api")
    ready.kube.patch("Deployment", "vanna-worker", {"spec": {"replicas": 9}})
    ready.kube.patch(naming.KIND, NAME, {"spec": {"api": {"replicas": 3}}})
    ready.operator.start()
    ready.wait_for("Ready")
    assert ready.kube.get("Service", "vanna-api") is not None
    assert (ready.kube.get("Deployment", "vanna-worker") or {})["spec"]["replicas"] != 9
    assert (ready.kube.get("Deployment", "vanna-api") or {})["spec"]["replicas"] == 3
