"""The words of `kubectl insight`: what each command does, what it takes, an example of each."""

import argparse

from insight_operator import __version__

_DESCRIPTION = """Look after InsightEngines, through kubectl: its kubeconfig, its login, its rights.

  kubectl insight status NAME     what it is doing, component by component, and why it is not ready
  kubectl insight plan -f FILE    what applying a file would change, and which pods would restart
  kubectl insight approve NAME    let restarts that wait go ahead
  kubectl insight suspend NAME    stop the operator from changing anything of it
  kubectl insight resume NAME     let the operator go on"""
_CODES = "exit codes: 0 done; 1 failed or refused; 2 wrong usage; 3 with --exit-code, when the answer is no"
_STATUS = "Show conditions, components, restarts that wait, and the plan of an InsightEngine."
_PLAN = """Show what applying the InsightEngines of a file would change, and which pods would restart.

Nothing is stored. The API server judges each InsightEngine by a dry run, as `kubectl apply` would send it;
what would be made of it is worked out here, with the operator's own code, beside what is made of the stored
one. Secrets are taken to be there and usable. Only rights on InsightEngines are needed."""
_APPROVE = """Let restarts that wait go ahead: all of them, or those of some components or revisions.

It sets the annotation insightengine.io/approve to the revisions that wait now, which .status.pendingRestart
shows. An approval names what it approves: it approves nothing that comes later."""
_SUSPEND = "Set spec.suspend to true: the operator changes nothing more and keeps the status true."
_RESUME = "Set spec.suspend to false: the operator goes on."


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    made = argparse.ArgumentParser(
        prog="kubectl insight",
        description=_DESCRIPTION,
        epilog=_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--version", action="version", version=__version__)
    commands = made.add_subparsers(
        dest="command", required=True, metavar="status|plan|approve|suspend|resume"
    )

    def command(name: str, summary: str, description: str, example: str) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name,
            help=summary,
            description=description,
            epilog=f"example:\n  {example}\n\n{_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        _cluster(added)
        return added

    status = command("status", "show what it is doing", _STATUS, "kubectl insight status vanna -n insight")
    _name(status)
    status.add_argument("--exit-code", action="store_true", help="exit with 3 unless it is ready")
    _plan(command("plan", "show what a file would change", _PLAN, "kubectl insight plan -f vanna.yaml"))
    _approve(command("approve", "let restarts go ahead", _APPROVE, "kubectl insight approve vanna --all"))
    _name(command("suspend", "stop all changes", _SUSPEND, "kubectl insight suspend vanna"))
    _name(command("resume", "go on", _RESUME, "kubectl insight resume vanna"))
    return made


def kubectl_options(given: argparse.Namespace) -> tuple[str, ...]:
    """Return the options that every call of kubectl gets."""
    wanted = (("kubeconfig", given.kubeconfig), ("context", given.context), ("namespace", given.namespace))
    return tuple(f"--{name}={value}" for name, value in wanted if value)


def _cluster(command: argparse.ArgumentParser) -> None:
    command.add_argument("-n", "--namespace", help="namespace; default: the context's")
    command.add_argument("--context", help="context of the kubeconfig; default: the current one")
    command.add_argument("--kubeconfig", help="kubeconfig file; default: as kubectl finds it")


def _name(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", metavar="NAME", help="name of the InsightEngine")


def _plan(command: argparse.ArgumentParser) -> None:
    command.add_argument("-f", "--file", required=True, help="file with InsightEngines; - reads stdin")
    command.add_argument(
        "--server-side", action="store_true", help="as `kubectl apply --server-side` would send it"
    )
    command.add_argument("--exit-code", action="store_true", help="exit with 3 if anything would change")


def _approve(command: argparse.ArgumentParser) -> None:
    _name(command)
    which = command.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="everything that waits now")
    which.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="COMPONENT|REVISION",
        help="api, worker, database, broker, or a revision; may be repeated",
    )
