"""The command line: run the operator, or print what it would install or render. Errors are one sentence."""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence

from insight_operator import __version__

_DESCRIPTION = "Turns InsightEngine objects into running, self-repairing query services."
_RUN = """Run the operator until it is told to stop.

Environment: INSIGHT_OPERATOR_NAMESPACES (comma list; default: its own), INSIGHT_OPERATOR_ENGINE_IMAGE,
INSIGHT_OPERATOR_POSTGRES_IMAGE, INSIGHT_OPERATOR_REDIS_IMAGE, INSIGHT_OPERATOR_IMAGE_ALLOWLIST,
INSIGHT_OPERATOR_LOG_LEVEL, INSIGHT_OPERATOR_RESYNC_S, INSIGHT_OPERATOR_CONCURRENCY, INSIGHT_OPERATOR_LISTEN
(default 0.0.0.0:9090). Outside a cluster KUBECONFIG names the cluster."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 fine, 1 failed, 2 wrong usage."""
    given = _parser().parse_args(arguments)
    command = {"run": _run, "crd": _crd, "render": _render, "rbac": _rbac}[given.command]
    return command(given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="insight-operator", description=_DESCRIPTION)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser(
        "run",
        help="run the operator",
        description=_RUN,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands.add_parser("crd", help="print the CustomResourceDefinition")
    render = commands.add_parser("render", help="print every object an InsightEngine would get, offline")
    render.add_argument("-f", "--file", required=True, help="file with the InsightEngine; - reads stdin")
    rbac = commands.add_parser("rbac", help="print the rights the operator needs in a namespace")
    rbac.add_argument("--format", choices=("role", "rules"), default="role")
    rbac.add_argument("--name", default="insight-operator", help="name of the Role")
    rbac.add_argument("--namespace", default="default", help="namespace of the Role")
    return parser


def _run(_given: argparse.Namespace) -> int:
    from insight_operator import settings, telemetry
    from insight_operator.cluster.errors import ClusterError
    from insight_operator.handlers import process

    try:
        found = settings.from_environment()
        telemetry.configure_logging(found.log_level)
        asyncio.run(process.run(found))
    except (settings.SettingsError, ClusterError, OSError) as error:
        return _fail(str(error))
    return 0


def _crd(_given: argparse.Namespace) -> int:
    from insight_operator.cli import crd

    sys.stdout.write(crd.text())
    return 0


def _render(given: argparse.Namespace) -> int:
    from insight_operator.cli import render

    return render.command(given.file)


def _rbac(given: argparse.Namespace) -> int:
    import yaml

    from insight_operator.cluster import kinds

    shown = kinds.rules() if given.format == "rules" else kinds.role(given.name, given.namespace)
    # Plain copies: shared lists would come out as YAML anchors.
    yaml.safe_dump(json.loads(json.dumps(shown)), sys.stdout, sort_keys=False)
    return 0


def _fail(sentence: str) -> int:
    print(f"insight-operator: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
