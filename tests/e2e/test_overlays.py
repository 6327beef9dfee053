"""The overlays of k8s/ as their users apply them, and a hand-written deployment moved under the operator.

They run under an operator of their own, which watches the overlays' namespaces and the one of the move.
"""

import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
import yaml

from dev.cluster import paths, provider
from dev.install import (
    EXAMPLES,
    Image,
    condition,
    install_operator,
    install_sample_source,
    make_namespace,
    reference,
    wait_ready,
)
from dev.kube import Kube, helm
from support.waiting import eventually

SYSTEM, MOVE = "e2e-overlays-system", "e2e-move"
OVERLAYS = ("production", "staging")
LIVENESS = "delay=30s timeout=5s period=10s #success=1 #failure=3"
READINESS = "delay=10s timeout=3s period=5s #success=1 #failure=2"
# Two cores hold both overlays only when less is asked for; nothing that people rely on is touched.
SMALLER = """
- op: add
  path: /spec/api/resources
  value: {requests: {cpu: 20m}, limits: {cpu: "1", memory: 1Gi}}
- op: add
  path: /spec/workers/resources
  value: {requests: {cpu: 20m}, limits: {cpu: "1", memory: 1Gi}}
"""


@pytest.fixture(scope="module")
def watched(cluster: provider.Cluster, helm_program: Path, images: dict[str, Image]) -> Iterator[Kube]:
    """Any namespace of a cluster where an operator watches the three namespaces, each with a data source."""
    kube = Kube(cluster.kubeconfig)
    names = (*(f"vanna-{overlay}" for overlay in OVERLAYS), MOVE)
    kube.run("delete", "namespace", *names, SYSTEM, "--ignore-not-found", "--wait", timeout_s=180)
    for overlay in OVERLAYS:
        kube.run("apply", "-f", str(paths.REPOSITORY / f"k8s/overlays/{overlay}/namespace.yaml"))
    for name in (MOVE, SYSTEM):
        make_namespace(kube.within(name))
    system = kube.within(SYSTEM)
    install_operator(system, helm_program, images, watch=names)
    for name in names:
        install_sample_source(kube.within(name), images["postgres"])
    yield kube
    for name in names:
        kube.within(name).run("delete", "insightengines", "--all", "--wait", timeout_s=60)
    helm(kube.kubeconfig, helm_program, "uninstall", "insight-operator", "-n", SYSTEM, "--wait")
    kube.run("delete", "namespace", *names, SYSTEM, "--wait=false")


@pytest.fixture(params=OVERLAYS, scope="module")
def overlay(request: pytest.FixtureRequest, watched: Kube, tmp_path_factory: pytest.TempPathFactory) -> Kube:
    """The namespace where an overlay was applied and is Ready."""
    folder = tmp_path_factory.mktemp(request.param)
    source = paths.REPOSITORY / "k8s" / "overlays" / request.param
    patch = {"target": {"kind": "InsightEngine"}, "patch": SMALLER}
    layer = {"resources": [os.path.relpath(source, folder)], "patches": [patch]}
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(layer))
    kube = watched.within(f"vanna-{request.param}")
    kube.run("apply", "-k", str(folder))
    wait_ready(kube, "vanna", print, timeout_s=240)
    return kube


def test_the_day_two_commands_show_what_was_promised(overlay: Kube) -> None:
    assert "successfully rolled out" in overlay.run(
        "rollout", "status", "deployment/vanna-api", "--timeout=60s"
    )
    assert overlay.run("logs", "deployment/vanna-api")
    pods = overlay.list("pods", "app=vanna-api")
    assert len(pods) == {"vanna-production": 3, "vanna-staging": 2}[overlay.namespace]
    for pod in pods:
        assert pod["spec"]["securityContext"]["runAsUser"] == 1000
        assert all(each["securityContext"]["runAsUser"] == 1000 for each in pod["spec"]["containers"])
    described = overlay.run("describe", "pods", "-l", "app=vanna-api")
    assert re.findall(r"Liveness: +http-get \S+/health/live (.*)", described) == [LIVENESS] * len(pods)
    assert re.findall(r"Readiness: +http-get \S+/health (.*)", described) == [READINESS] * len(pods)
    with overlay.forward("service/vanna-api", 8000) as url:
        assert httpx.get(f"{url}/health", timeout=20).json()["status"] == "ok"


@pytest.mark.parametrize("overlay", ["staging"], indirect=True)
def test_an_undo_goes_back_and_is_held(overlay: Kube) -> None:
    def level() -> str:
        deployment = overlay.get("deployment", "vanna-api")
        assert deployment is not None
        return str(
            deployment["spec"]["template"]["metadata"]["annotations"]["insightengine.io/template-hash"]
        )

    first = level()
    overlay.run(
        "patch", "insightengine", "vanna", "--type=merge", "-p", '{"spec":{"api":{"logLevel":"WARNING"}}}'
    )
    wait_ready(overlay, "vanna", print, timeout_s=180)
    assert level() != first
    overlay.run("rollout", "undo", "deployment/vanna-api")
    eventually(
        "the undo being held",
        lambda: (
            condition(overlay.get("insightengine", "vanna") or {}, "Stalled").get("reason") == "RolledBack"
        ),
        within_s=60,
    )
    assert level() == first
    assert "successfully rolled out" in overlay.run(
        "rollout", "status", "deployment/vanna-api", "--timeout=120s"
    )


HAND_WRITTEN = """
apiVersion: v1
kind: Service
metadata: {name: vanna-api}
spec:
  selector: {app: vanna-api}
  ports: [{name: http, port: 8000, targetPort: 8000}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: vanna-api}
spec:
  replicas: 2
  selector: {matchLabels: {app: vanna-api}}
  template:
    metadata: {labels: {app: vanna-api}}
    spec:
      automountServiceAccountToken: false
      securityContext:
        {runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, seccompProfile: {type: RuntimeDefault}}
      containers:
        - name: vanna
          image: IMAGE
          command: [/opt/insight/bin/python, -c]
          args:
            - |
              import signal, time, threading
              from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
              class Answer(BaseHTTPRequestHandler):
                  def do_GET(self):
                      self.send_response(200)
                      self.end_headers()
                      self.wfile.write(b'{"status": "ok"}')
              server = ThreadingHTTPServer(("", 8000), Answer)
              def end():
                  time.sleep(5)  # until no proxy sends anything here any more
                  server.shutdown()
              signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=end).start())
              server.serve_forever()
          readinessProbe: {httpGet: {path: /health, port: 8000}, periodSeconds: 1}
          securityContext:
            {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
"""


class Poll:
    """Asks a URL, each time by a new connection, until it is told to stop."""

    def __init__(self, url: str) -> None:
        self.asked, self.failures = 0, list[str]()
        self._url, self._stop = url, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            try:
                answer = httpx.get(self._url, timeout=20)
                problem = (
                    "" if answer.status_code == httpx.codes.OK else f"{answer.status_code} {answer.text}"
                )
            except httpx.HTTPError as error:
                problem = repr(error)
            self.asked += 1
            if problem:
                self.failures.append(problem)


def _found(kube: Kube, kind: str) -> dict[str, Any]:
    found = kube.get(kind, "vanna-api")
    assert found is not None
    return found


def test_a_hand_written_deployment_is_taken_over_without_a_failed_request(
    watched: Kube, images: dict[str, Image]
) -> None:
    kube = watched.within(MOVE)
    kube.apply(HAND_WRITTEN.replace("IMAGE", reference(images["engine"])))
    kube.run("rollout", "status", "deployment/vanna-api", "--timeout=120s")
    before = {kind: _found(kube, kind) for kind in ("deployment", "service")}
    address = before["service"]["spec"]["clusterIP"]
    with Poll(f"http://{address}:8000/health") as poll:
        eventually("the first answers", lambda: poll.asked >= 5, within_s=30)
        for kind in before:
            kube.run("annotate", kind, "vanna-api", "insightengine.io/adopt=vanna")
        kube.apply((EXAMPLES / "quickstart.yaml").read_text())
        wait_ready(kube, "vanna", print, timeout_s=240)
        eventually("the old pods' end", lambda: len(kube.list("pods", "app=vanna-api")) == 2, within_s=90)
        asked = poll.asked
        eventually("answers from the new pods", lambda: poll.asked >= asked + 5, within_s=30)
    print(f"\n{poll.asked} requests while the deployment changed hands, {len(poll.failures)} failed")
    assert poll.failures == []
    after = {kind: _found(kube, kind) for kind in before}
    assert after["service"]["spec"]["clusterIP"] == address
    owner = kube.get("insightengine", "vanna")
    assert owner is not None
    for kind, object_ in after.items():
        assert object_["metadata"]["uid"] == before[kind]["metadata"]["uid"]
        assert [ref["uid"] for ref in object_["metadata"]["ownerReferences"]] == [owner["metadata"]["uid"]]
    for pod in kube.list("pods", "app=vanna-api"):
        assert [each["name"] for each in pod["spec"]["containers"]] == ["api"]
