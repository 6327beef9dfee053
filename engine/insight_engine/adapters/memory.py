"""How much memory one query may take: a share of what the container has, as others live in it too."""

from contextlib import suppress
from pathlib import Path
from typing import Final

MOST_BYTES: Final = 1024**3
LEAST_BYTES: Final = 128 * 1024**2
SHARE: Final = 4
_CGROUP_LIMITS: Final = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory_share() -> int:
    """Bytes for one query: a quarter of the container's limit, from 128 MB to 1 GB."""
    for path in _CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # no such file, or "max"
            return max(LEAST_BYTES, min(MOST_BYTES, int(Path(path).read_text()) // SHARE))
    return MOST_BYTES
