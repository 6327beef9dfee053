"""Where things live: a cache that survives everything and a state folder that `down` removes.

Nothing is ever written into the checkout. Only this file reads INSIGHT_CACHE and INSIGHT_STATE.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
TOOLS = REPOSITORY / "dev" / "tools"


def cache_folder() -> Path:
    """Return the folder of things that are slow to make again: binaries, packages, base image, wheels."""
    given = os.environ.get("INSIGHT_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "insight-engine"


def state_folder() -> Path:
    """Return the folder of the running local cluster: etcd, volumes, logs, process records."""
    given = os.environ.get("INSIGHT_STATE")
    if given:
        return Path(given)
    if os.geteuid() == 0:
        return Path("/var/lib/insight-engine-dev")
    return Path.home() / ".local" / "state" / "insight-engine"


def write_atomically(path: Path, content: str, mode: int = 0o644) -> None:
    """Write a whole file or nothing, so that a hard stop never leaves half of one behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(content)
    draft.replace(path)


@contextmanager
def exclusive(name: str, *, wait: bool = True) -> Iterator[None]:
    """Hold a lock of that name, so that two commands started at once do not work on the same thing.

    Raises BlockingIOError when another process holds it and `wait` is false.
    """
    lock = cache_folder() / f"{name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
