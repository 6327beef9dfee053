"""Plain progress lines, and the one loop that waits for something.

Every wait says what it waits for and how long it has taken; nothing here may decide what happens next.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dev.cluster.errors import ClusterError

_FIRST_NOTICE_S = 3.0
_NOTICE_EVERY_S = 10.0
_POLL_S = 0.1


def say(line: str) -> None:
    """Print one progress line at once, on standard error: standard output carries results only."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Announce a step that takes a while and print how many seconds it took."""
    started = time.monotonic()
    say(f"  {title} …")
    yield
    say(f"  {title}: {time.monotonic() - started:.1f} s")


def wait_for(what: str, ready: Callable[[], bool], timeout_s: float, cure: str) -> None:
    """Poll `ready` until it is true.

    Raises ClusterError naming `what`, the seconds waited and `cure` when `timeout_s` has passed.
    """
    started = time.monotonic()
    notice = started + _FIRST_NOTICE_S
    while not ready():
        now = time.monotonic()
        if now - started > timeout_s:
            raise ClusterError(f"{what} did not happen within {timeout_s:.0f} s; {cure}")
        if now >= notice:
            say(f"  waiting for {what} ({now - started:.0f} s)")
            notice = now + _NOTICE_EVERY_S
        time.sleep(_POLL_S)
