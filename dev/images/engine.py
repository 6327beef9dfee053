"""A Docker engine for building images: our own, started for the build and stopped after it.

Its data lives in the cache, so layers survive `down`; it has no bridge, so no build step reaches a network.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.cluster import debs, paths
from dev.cluster.errors import ClusterError
from dev.cluster.processes import Daemon
from dev.cluster.progress import wait_for


class Docker:
    """The command-line client bound to one engine's socket."""

    def __init__(self, socket: Path, program: Path) -> None:
        self._command = [str(program), "--host", f"unix://{socket}"]

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


@contextmanager
def running() -> Iterator[Docker]:
    """Start the engine, yield its client, and stop it again.

    Raises ClusterError with the end of its log when it does not answer.
    """
    tools = debs.ensure()
    folder = paths.cache_folder() / "docker"
    folder.mkdir(parents=True, exist_ok=True)
    daemon = Daemon("dockerd", folder)
    socket = folder / "docker.sock"
    with paths.exclusive("docker"):
        daemon.stop()
        daemon.start(_command(tools, folder, socket), [], tools.environment())
        try:
            client = Docker(socket, tools.program("docker"))
            wait_for(
                "the image builder to answer", lambda: _answers(daemon, client), 60, f"read {daemon.log}"
            )
            yield client
        finally:
            daemon.stop()


def _command(tools: debs.Debs, folder: Path, socket: Path) -> list[str]:
    return [
        str(tools.program("dockerd")),
        f"--data-root={folder}/data",
        f"--exec-root={folder}/run/exec",
        f"--pidfile={folder}/run/dockerd.pid",
        f"--host=unix://{socket}",
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
        "--ip-masq=false",
        "--oom-score-adjust=0",
    ]


def _answers(daemon: Daemon, client: Docker) -> bool:
    daemon.require_alive()
    try:
        client.run("version")
    except ClusterError:
        return False
    return True
