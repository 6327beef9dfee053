"""The command line: run the operator, or print what it would install or render."""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from insight_operator.cli.arguments import parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 fine, 1 failed, 2 wrong usage."""
    given = parser().parse_args(arguments)
    command = {"run": _run, "crd": _crd, "render": _render, "rbac": _rbac}[given.command]
    return command(given)


def _run(_given: argparse.Namespace) -> int:
    from insight_operator import settings, telemetry

    try:
        found = settings.from_environment()
    except settings.SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    telemetry.configure_logging(found.log_level)

    from insight_operator.cluster.errors import ClusterError
    from insight_operator.handlers import process

    try:
        asyncio.run(process.run(found))
    except (ClusterError, OSError) as error:
        print(f"insight-operator: {error}", file=sys.stderr)
        return 1
    return 0


def _crd(_given: argparse.Namespace) -> int:
    from insight_operator.cli import crd

    sys.stdout.write(crd.text())
    return 0


def _render(given: argparse.Namespace) -> int:
    from insight_operator.cli import render

    return render.command(given.file, given.pod_overlays)


def _rbac(given: argparse.Namespace) -> int:
    from insight_operator.cli import rbac

    sys.stdout.write(rbac.text(given.namespace, given.service_account, given.name, cluster=given.cluster))
    return 0


if __name__ == "__main__":
    sys.exit(main())
