"""The operator outlives its API server: what happened meanwhile is put right as soon as it is back."""

import socket
from urllib.parse import urlsplit

from dev.cluster.controlplane import ControlPlane
from insight_operator import naming
from support.space import NAME, OPERATOR, Space, write_token
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


def restart(control_plane: ControlPlane) -> None:
    control_plane.kill_api_server()
    eventually("its port is free", lambda: is_free(control_plane.url), 20)
    control_plane.start_api_server()


def test_a_restart_of_the_api_server_is_survived(ready: Space, control_plane: ControlPlane) -> None:
    pid = ready.operator.pid
    restart(control_plane)
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


def test_a_refused_token_is_replaced_by_the_one_that_is_there(
    ready: Space, control_plane: ControlPlane
) -> None:
    pid = ready.operator.pid
    ready.kube.delete("ServiceAccount", OPERATOR)  # which ends the token for good, whoever has it
    ready.kube.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": OPERATOR}})
    write_token(ready.kube, ready.token_file)
    restart(control_plane)  # a watch is asked who it is only when it connects
    ready.kube.delete("Service", "vanna-api")
    eventually("the Service is back", lambda: ready.kube.get("Service", "vanna-api"), 30)
    ready.kube.patch(naming.KIND, NAME, {"spec": {"api": {"replicas": 3}}})
    eventually("a watch told of it", lambda: ready.engine()["status"]["observedGeneration"] == 2, 20)
    assert ready.operator.pid == pid
    assert ready.operator.running
