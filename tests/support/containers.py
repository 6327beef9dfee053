"""What a Docker engine says of the containers of a Compose deployment."""

import json
from typing import Any

from dev.compose.deployments import Deployment


def containers(deployment: Deployment, service: str = "") -> list[dict[str, Any]]:
    """`docker inspect` of every container of the deployment, ended ones too."""
    names = deployment.run("ps", "--all", "--quiet", *([service] if service else [])).split()
    return list(json.loads(deployment.docker.run("inspect", *names))) if names else []


def service_of(container: dict[str, Any]) -> str:
    return str(container["Config"]["Labels"]["com.docker.compose.service"])


def processes(deployment: Deployment, container: dict[str, Any]) -> list[str]:
    """The command lines of what runs in a container, its first process first."""
    printed = deployment.docker.run("top", container["Id"], "-eo", "pid,args")
    return [line.split(None, 1)[1] for line in printed.splitlines()[1:]]


def left_behind(deployment: Deployment, project: str) -> list[str]:
    """Containers, networks and volumes that carry the project's label."""
    label = f"label=com.docker.compose.project={project}"
    run = deployment.docker.run
    return [
        *run("ps", "--all", "--quiet", "--filter", label).split(),
        *run("network", "ls", "--quiet", "--filter", label).split(),
        *run("volume", "ls", "--quiet", "--filter", label).split(),
    ]
