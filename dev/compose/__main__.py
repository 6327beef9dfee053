"""Runs a Compose deployment with one word: `python -m dev.compose up dev`.

Uses the Docker engine that is here; where there is none, starts one of its own with images built here (root
needed). The same as `docker-compose -f docker-compose.yml -f …`, with secrets made and the outcome told.
"""

import argparse
import os
import subprocess
import sys

from dev.cluster.errors import ClusterError
from dev.cluster.progress import say, step
from dev.compose import golden
from dev.compose.deployments import (
    API_PORTS,
    FILES,
    Deployment,
    make_secrets,
    own_docker,
    persons_docker,
    stop_own_docker,
)


def main() -> int:
    """Run one command; an error is one sentence on standard error and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m dev.compose", description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("up", "make the secrets that are missing, start everything and wait until it is healthy"),
        ("down", "stop everything; data stays unless --volumes is given"),
        ("logs", "follow what the services say"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("environment", choices=list(FILES))
        if name == "down":
            command.add_argument("--volumes", action="store_true", help="remove the data too")
    commands.add_parser("golden", help="rewrite tests/golden/compose from the Compose files")
    arguments = parser.parse_args()
    try:
        _run(arguments)
    except ClusterError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _run(arguments: argparse.Namespace) -> None:
    if arguments.command == "golden":
        golden.write()
        return
    docker = persons_docker() or own_docker()
    deployment = Deployment(arguments.environment, docker)
    if arguments.command == "up":
        _up(deployment)
    elif arguments.command == "logs":
        command = deployment.command("logs", "--follow")
        environment = {**os.environ, **docker.environment}
        subprocess.run(command, env=environment, cwd=deployment.folder, check=False)
    else:
        deployment.run("down", *(["--volumes"] if arguments.volumes else []))
        if docker.own:
            stop_own_docker()


def _up(deployment: Deployment) -> None:
    name = deployment.name
    make_secrets(deployment)
    try:
        with step(f"Starting {name}"):
            deployment.up()
    except ClusterError as problem:
        logs = deployment.run("logs", "--no-log-prefix", "--tail=5", "migrate")
        raise ClusterError(f"{problem}\nThe migration's last lines:\n{logs}") from None
    say(f"The API answers on http://localhost:{API_PORTS[name]}; log in as admin with the password in")
    say(f"docker/secrets/{name}/admin-password.")
    say(f"Logs: docker-compose {' '.join(deployment.files)} logs -f api celery_worker")
    if deployment.docker.own:
        host = deployment.docker.environment["DOCKER_HOST"]
        say(f"It runs in an engine of its own: export DOCKER_HOST={host}")
    say(f"Stop it with `python -m dev.compose down {name}`.")


if __name__ == "__main__":
    sys.exit(main())
