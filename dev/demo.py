"""`make demo`: a cluster, the operator, an InsightEngine, and a question answered by it.

Run twice, it upgrades what is there. Where pods cannot really run, it says so and the engine answers alone.
"""

import argparse
import re
import socket
import subprocess
import sys
import tempfile
import time
from typing import Any

import httpx

from dev.cluster import gotools, provider
from dev.cluster.errors import ClusterError
from dev.cluster.progress import wait_for
from dev.images import build
from dev.install import (
    EXAMPLES,
    install_operator,
    install_sample_source,
    make_namespace,
    secret_value,
    wait_ready,
)
from dev.kube import Kube

ENGINE = "vanna"
QUESTION = """
SELECT c.country, count(*) AS orders, sum(o.amount) AS revenue
FROM orders o JOIN customers c ON c.id = o.customer_id
GROUP BY c.country ORDER BY revenue DESC
""".strip()
EMBEDDED_QUESTION = "SELECT count(*) AS orders FROM orders"


def say(line: str = "") -> None:
    """Print one line at once."""
    print(line, flush=True)


def ask(url: str, username: str, password: str, datasource: str, sql: str) -> dict[str, Any]:
    """Log in, submit the query, wait for it and return its first page.

    Raises ClusterError with the API's own sentence when it refuses or the query fails.
    """
    with httpx.Client(base_url=f"{url}/api/v1", timeout=30) as client:
        login = _checked(client.post("/auth/token", json={"username": username, "password": password}))
        client.headers["Authorization"] = f"Bearer {login['access_token']}"
        query = _checked(client.post("/queries", json={"datasource": datasource, "sql": sql, "wait_s": 20}))
        if query["state"] != "succeeded":
            raise ClusterError(f"The query ended {query['state']}: {query['error']}")
        return _checked(client.get(f"/queries/{query['id']}/results"))


def _checked(response: httpx.Response) -> dict[str, Any]:
    if response.is_error:
        raise ClusterError(f"{response.request.method} {response.request.url.path}: {response.text}")
    return dict(response.json())


def print_rows(page: dict[str, Any]) -> None:
    """Print a result page as a table."""
    rows = [
        [column["name"] for column in page["schema"]],
        *[[str(cell) for cell in row] for row in page["rows"]],
    ]
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    for row in rows:
        say("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)))


def on_cluster(cluster: provider.Cluster, system: str, namespace: str) -> None:
    """Install everything on a cluster whose pods are real, and ask the question there."""
    say("\n== Images")
    images = build.ensure(cluster)
    say("\n== Operator: helm install insight-operator")
    kube = Kube(cluster.kubeconfig, namespace)
    for each in (kube, kube.within(system)):
        make_namespace(each)
    helm = gotools.ensure(("helm",))["helm"]
    install_operator(kube.within(system), helm, images, watch=namespace)
    say("\n== kubectl apply -f examples/quickstart.yaml")
    install_sample_source(kube, images["postgres"])
    kube.apply((EXAMPLES / "quickstart.yaml").read_text())
    seconds = wait_ready(kube, ENGINE, say)
    say(f"  Ready after {seconds:.1f} s")
    say(f"\n== A question\n{QUESTION}\n")
    password = secret_value(kube, f"{ENGINE}-admin", "password")
    with kube.forward(f"service/{ENGINE}-api", 8000) as url:
        print_rows(ask(url, "admin", password, "sales", QUESTION))
    kubectl = f"kubectl --kubeconfig={cluster.kubeconfig} -n {namespace}"
    say(f"\n== {kubectl} get insightengines")
    say(kube.run("get", "insightengines"))
    say("Use it:")
    say(f"  {kubectl} port-forward service/{ENGINE}-api 8000   # then http://127.0.0.1:8000/health")
    say(f"  {kubectl} get secret {ENGINE}-admin -o jsonpath='{{.data.password}}' | base64 -d   # user admin")
    say("Take it down:")
    say(f"  {kubectl} delete insightengine {ENGINE}   # keeps volumes and credentials")
    say("  make down   # the local cluster, with everything on it")


def embedded() -> None:
    """Let the engine answer alone, without a cluster."""
    say("\n== insight-engine serve --embedded")
    url = f"http://127.0.0.1:{_free_port()}"
    with tempfile.TemporaryDirectory() as data:
        command = [sys.executable, "-m", "insight_engine", "serve", "--embedded", "--data", data]
        command += ["--port", url.rpartition(":")[2]]
        with subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        ) as process:
            try:
                password = _printed_password(process)
                wait_for("the engine to answer", lambda: _answers(url), 30, "read what it printed")
                page = ask(url, "admin", password, "sample", EMBEDDED_QUESTION)
            finally:
                process.terminate()
    say(f"{EMBEDDED_QUESTION}\n")
    print_rows(page)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _printed_password(process: subprocess.Popen[str]) -> str:
    for line in process.stderr or ():
        if found := re.search(r"with the password (\S+)", line):
            return found[1]
    raise ClusterError("`insight-engine serve --embedded` ended without printing a password; run it by hand")


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").is_success
    except httpx.TransportError:
        return False


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(prog="make demo", description="Operator on a cluster, a query answered.")
    parser.add_argument(
        "--namespace", default="insight", help="where the InsightEngine goes (default: insight)"
    )
    parser.add_argument("--system", default="insight-system", help="where the operator goes")
    options = parser.parse_args()
    started = time.monotonic()
    say("== Cluster")
    cluster = provider.acquire()
    if cluster.real_pods:
        on_cluster(cluster, options.system, options.namespace)
    else:
        cluster.release()
        embedded()
        say("\nThis machine cannot run pods, so the operator was not shown: the engine answered alone.")
    say(f"\nmake demo took {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    try:
        main()
    except (ClusterError, httpx.HTTPError) as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        sys.exit("demo: interrupted; run `make demo` again to go on, `make down` to remove the cluster")
