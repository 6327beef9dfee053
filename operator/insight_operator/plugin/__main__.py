"""`kubectl insight`: reads the arguments, runs one command, turns every error into one sentence."""

import sys
from collections.abc import Sequence

from insight_operator.errors import OperatorError
from insight_operator.plugin import commands
from insight_operator.plugin.arguments import kubectl_options, parser
from insight_operator.plugin.kubectl import Kubectl, KubectlError

FAILED, WRONG_USAGE = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 wrong usage, 3 the answer is no."""
    given = parser().parse_args(arguments)
    command = getattr(commands, given.command)
    try:
        code: int = command(Kubectl(kubectl_options(given)), given)
    except (KubectlError, OperatorError) as error:
        return _fail(str(error), FAILED)
    except commands.UsageError as error:
        return _fail(str(error), WRONG_USAGE)
    return code


def _fail(sentence: str, code: int) -> int:
    print(f"kubectl insight: {sentence}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
