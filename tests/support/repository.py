"""The files of this checkout."""

import subprocess
from pathlib import Path

from dev.cluster import paths


def tracked() -> list[Path]:
    """What Git tracks, and what is new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=paths.REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return [
        paths.REPOSITORY / name for name in listed.stdout.splitlines() if (paths.REPOSITORY / name).is_file()
    ]
