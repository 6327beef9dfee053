"""The command line's words: what each command does, what it takes, an example of each."""

import argparse
import re

from insight_operator import __version__
from insight_operator.crd.base import DNS_SUBDOMAIN

_DESCRIPTION = """Turns InsightEngine objects of a cluster into running, self-repairing query services.

  insight-operator run      is what the operator's pod does; `helm install` starts it
  insight-operator crd      prints the definition of InsightEngine
  insight-operator render   shows, without a cluster, every object that an InsightEngine would get
  insight-operator rbac     prints the rights that the operator needs"""
_CODES = (
    """exit codes: 0 done; 1 failed, with one `FIELD: message` line per mistake on stderr; 2 wrong usage"""
)
_RUN = """Run the operator until it is told to stop (SIGTERM, SIGINT).

It takes its settings from the environment, and logs in as its pod's service account, or where there is none
by KUBECONFIG or ~/.kube/config:

  INSIGHT_OPERATOR_NAMESPACES       namespaces to look after, by commas; * for all; default: POD_NAMESPACE, or
                                    the login's own
  INSIGHT_OPERATOR_ENGINE_IMAGE     image of API, workers and migrations
  INSIGHT_OPERATOR_POSTGRES_IMAGE   image of managed databases
  INSIGHT_OPERATOR_REDIS_IMAGE      image of managed brokers
  INSIGHT_OPERATOR_IMAGE_ALLOWLIST  repositories that spec.image may name; default: the engine's own
  INSIGHT_OPERATOR_POD_OVERLAYS     YAML file of what is laid over every pod (docs/pod-overlays.md)
  INSIGHT_OPERATOR_LOG_LEVEL        DEBUG, INFO (default), WARNING or ERROR
  INSIGHT_OPERATOR_RESYNC_S         least seconds between two looks at Secrets, 1 to 86400; default 30
  INSIGHT_OPERATOR_CONCURRENCY      InsightEngines worked on at once; default 16
  INSIGHT_OPERATOR_LISTEN           where /healthz, /readyz and /metrics are; default 0.0.0.0:9090"""
_RUN_EXAMPLE = """example, from a laptop against the cluster of ~/.kube/config:
  INSIGHT_OPERATOR_NAMESPACES=insight insight-operator run"""
_CRD_EXAMPLE = """example:
  insight-operator crd | kubectl apply --server-side -f -"""
_RENDER = """Print every object that the InsightEngines of a file would get. No cluster is asked.

The file may hold several documents. Secrets among them are checked as the InsightEngine refers to them; those
that are not in the file are taken to be right. Generated passwords are shown as a placeholder. Images come
from the INSIGHT_OPERATOR_*_IMAGE variables, as `run` reads them."""
_RENDER_EXAMPLE = """examples:
  insight-operator render -f examples/quickstart.yaml
  insight-operator render -f vanna.yaml --pod-overlays overlays.yaml"""
_RBAC = """Print the Roles that the operator needs and what binds them to its service account.

  --namespace NS             all it needs to look after NS by name
  --cluster                  all it needs to look after every namespace, but for Secrets: those are
                             granted namespace by namespace
  --cluster --namespace NS   the use of Secrets in NS: what makes a cluster-wide operator run the
                             InsightEngines of NS

Whoever applies it must hold these rights; Kubernetes lets nobody grant more than they have."""
_RBAC_EXAMPLE = """examples:
  insight-operator rbac --namespace team-a --namespace team-b | kubectl apply -f -
  insight-operator rbac --cluster | kubectl apply -f -
  insight-operator rbac --cluster --namespace team-a | kubectl apply -f -"""
_ACCOUNT = ("insight-system", "insight-operator")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    made = argparse.ArgumentParser(
        prog="insight-operator",
        description=_DESCRIPTION,
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=__version__)
    commands = made.add_subparsers(dest="command", required=True, metavar="run|crd|render|rbac")

    def command(name: str, summary: str, description: str, example: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=summary,
            description=description,
            epilog=f"{example}\n\n{_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    command("run", "run the operator until it is told to stop", _RUN, _RUN_EXAMPLE)
    crd = "Print the CustomResourceDefinition of InsightEngine as YAML."
    command("crd", "print the CustomResourceDefinition", crd, _CRD_EXAMPLE)
    _render(command("render", "print every object an InsightEngine would get", _RENDER, _RENDER_EXAMPLE))
    _rbac(command("rbac", "print the rights the operator needs", _RBAC, _RBAC_EXAMPLE))
    return made


def _render(command: argparse.ArgumentParser) -> None:
    command.add_argument("-f", "--file", required=True, help="file with the InsightEngine; - reads stdin")
    command.add_argument(
        "--pod-overlays",
        metavar="FILE",
        default=None,
        help="lay these over the pods, as the operator would; default: INSIGHT_OPERATOR_POD_OVERLAYS",
    )


def _rbac(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--namespace",
        action="append",
        default=[],
        type=_namespace,
        metavar="NS",
        help="a namespace to look after; may be repeated; default: the service account's own",
    )
    command.add_argument("--cluster", action="store_true", help="the operator looks after all namespaces")
    command.add_argument(
        "--service-account",
        default=_ACCOUNT,
        type=_account,
        metavar="NS/NAME",
        help=f"the operator's service account; default: {'/'.join(_ACCOUNT)}",
    )
    command.add_argument("--name", default=_ACCOUNT[1], type=_name, help="name of the roles and bindings")


def _namespace(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a namespace: use a-z, 0-9 and '-'")
    return text


def _name(text: str) -> str:
    if not re.fullmatch(DNS_SUBDOMAIN, text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of an object: use a-z, 0-9, '-' and '.'")
    return text


def _account(text: str) -> tuple[str, str]:
    namespace, separator, name = text.partition("/")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} must be NAMESPACE/NAME, such as {'/'.join(_ACCOUNT)}")
    return _namespace(namespace), _name(name)
