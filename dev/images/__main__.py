"""Command line of the image builder: `python -m dev.images build [--only engine] [--no-push]`."""

import argparse
import json
import sys

from dev.cluster.errors import ClusterError
from dev.images import build


def main() -> int:
    """Run one command; an error is one sentence on standard error and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m dev.images", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    builder = commands.add_parser("build", help="build what changed, push it, print where each image is")
    names = [image.name for image in build.IMAGES]
    builder.add_argument(
        "--only",
        action="append",
        choices=names,
        help="just this image; may be repeated (default: those a cluster needs)",
    )
    push = argparse.BooleanOptionalAction
    builder.add_argument("--push", action=push, default=True, help="push to the local registry (default)")
    arguments = parser.parse_args()
    try:
        made = build.build(tuple(arguments.only or build.CLUSTER_IMAGES), push=arguments.push)
    except ClusterError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    print(json.dumps(made, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
