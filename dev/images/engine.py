"""A Docker engine of our own, for building images and, where there is no other, for Compose.

Its data lives in the cache, so layers survive `down`. It has no default bridge, so no build step reaches a
network, and it neither forwards nor masquerades, so no container reaches further than this machine.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.cluster import debs, paths
from dev.cluster.errors import ClusterError
from dev.cluster.processes import Daemon
from dev.cluster.progress import wait_for

NETWORKS = "10.246.0.0/16"
"""Where the engine takes its containers' networks from: beside those of the local cluster."""


class Docker:
    """The command-line client bound to one engine's socket."""

    def __init__(self, socket: Path, program: Path) -> None:
        self.host = f"unix://{socket}"
        self._command = [str(program), "--host", self.host]

    def run(self, *arguments: str, stdin: Path | None = None) -> str:
        """Run one client command and return its output.

        Raises ClusterError with the end of what it said when it fails.
        """
        environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
        with (stdin or Path(os.devnull)).open("rb") as source:
            done = subprocess.run(
                [*self._command, *arguments], stdin=source, capture_output=True, check=False, env=environment
            )
        if done.returncode != 0:
            said = (done.stdout + done.stderr).decode(errors="replace").strip().splitlines()[-15:]
            raise ClusterError(f"`docker {arguments[0]}` failed:\n" + "\n".join(said))
        return done.stdout.decode(errors="replace")

    def has(self, reference: str) -> bool:
        """Tell whether the engine keeps an image of that name."""
        try:
            self.run("image", "inspect", reference)
        except ClusterError:
            return False
        return True


def client() -> Docker:
    """Return the client of our engine, running or not."""
    return Docker(_folder() / "docker.sock", debs.ensure().program("docker"))


def start() -> bool:
    """Start the engine unless it runs; tell whether it was started. Hold the lock `docker` around it.

    Raises ClusterError with the end of its log when it does not answer.
    """
    daemon, docker = _daemon(), client()
    if daemon.alive() and _answers(daemon, docker):
        return False
    daemon.stop()
    tools = debs.ensure()
    daemon.start(_command(tools, _folder()), [], _environment(tools))
    wait_for("the Docker engine to answer", lambda: _answers(daemon, docker), 60, f"read {daemon.log}")
    return True


def stop() -> None:
    """End the engine, and with it every container. Hold the lock `docker` around it."""
    _daemon().stop(patience_s=60)


@contextmanager
def running() -> Iterator[Docker]:
    """Yield the client of the running engine; one that was started for it is stopped again.

    Raises ClusterError with the end of its log when it does not answer.
    """
    with paths.exclusive("docker"):
        started = start()
        try:
            yield client()
        finally:
            if started:
                stop()


def _folder() -> Path:
    folder = paths.cache_folder() / "docker"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _daemon() -> Daemon:
    return Daemon("dockerd", _folder())


def _command(tools: debs.Debs, folder: Path) -> list[str]:
    return [
        str(tools.program("dockerd")),
        f"--data-root={folder}/data",
        f"--exec-root={folder}/run/exec",
        f"--pidfile={folder}/run/dockerd.pid",
        f"--host=unix://{folder}/docker.sock",
        f"--default-address-pool=base={NETWORKS},size=24",
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
        "--ip-masq=false",
        "--oom-score-adjust=0",
    ]


def _environment(tools: debs.Debs) -> dict[str, str]:
    """Return the unpacked programs' environment, with `iptables`: containers find each other's names by it.

    Packages that are only unpacked lack the link that installing would make.
    """
    environment = tools.environment()
    if shutil.which("iptables", path=environment["PATH"]) is None:
        links = _folder() / "bin"
        links.mkdir(exist_ok=True)
        link = links / "iptables"
        link.unlink(missing_ok=True)
        link.symlink_to(tools.program("iptables-nft"))
        environment["PATH"] = f"{links}:{environment['PATH']}"
        for modules in sorted((tools.root / "usr/lib").glob("*-linux-gnu*/xtables")):
            environment["XTABLES_LIBDIR"] = str(modules)
    return environment


def _answers(daemon: Daemon, client: Docker) -> bool:
    daemon.require_alive()
    try:
        client.run("version")
    except ClusterError:
        return False
    return True
