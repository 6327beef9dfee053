"""Exit codes, and one sentence on stderr instead of a traceback for every expected failure."""

import sys
from collections.abc import Callable
from typing import Final

from insight_engine.domain.errors import ConfigurationError, EngineError, Unavailable
from insight_engine.telemetry import scrub

OK: Final = 0
UNEXPECTED: Final = 1
USAGE: Final = 2
RETRY: Final = 75
CONFIGURATION: Final = 78


def code_of(error: EngineError) -> int:
    """The exit code of an expected failure."""
    if isinstance(error, ConfigurationError):
        return CONFIGURATION
    return RETRY if isinstance(error, Unavailable) else UNEXPECTED


def guarded(call: Callable[[], int]) -> int:
    """Run a command; print an expected failure as one sentence."""
    try:
        return call()
    except EngineError as error:
        print(f"insight-engine: {scrub(error.message)}", file=sys.stderr)  # noqa: T201 - a command line prints
        return code_of(error)
