"""Wheels for offline image builds: those that requirements/*.txt lock, and the project's own.

The wheels are those of the image's Python and platform, whatever this machine runs.
"""

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.markers import Marker

from dev.cluster import paths, pypi
from dev.cluster.errors import ClusterError
from dev.cluster.progress import step

IMAGE_PYTHON = "3.11"
_MARKERS = {
    "python_version": IMAGE_PYTHON,
    "python_full_version": "3.11.2",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "implementation_name": "cpython",
}
_NEWEST_GLIBC_MINOR, _OLDEST_GLIBC_MINOR = 36, 5


def platforms(machine: str) -> list[str]:
    """Return the wheel platforms that run on the image's C library, newest first."""
    newer = [
        f"manylinux_2_{minor}_{machine}" for minor in range(_NEWEST_GLIBC_MINOR, _OLDEST_GLIBC_MINOR - 1, -1)
    ]
    return [*newer, f"manylinux2014_{machine}", f"manylinux2010_{machine}", f"manylinux1_{machine}"]


def for_image(locked: str) -> str:
    """Return the locked requirements that the image's Python installs, without their markers. Pure.

    pip judges markers by the Python it runs on, which is this machine's and not the image's.
    """
    kept: list[str] = []
    wanted = True
    for line in locked.splitlines():
        if line and not line.startswith((" ", "#")):
            requirement, continued, _ = line.partition(" \\")
            name, _, marker = requirement.partition(" ; ")
            wanted = not marker or Marker(marker).evaluate(_MARKERS)
            line = f"{name}{continued}"  # noqa: PLW2901 - the line without its marker
        if wanted:
            kept.append(line)
    return "\n".join(kept) + "\n"


def ensure(requirements: Path) -> Path:
    """Return a folder with every wheel that one locked requirements file names.

    Raises ClusterError with pip's last line when one cannot be had.
    """
    key = hashlib.sha256(IMAGE_PYTHON.encode() + requirements.read_bytes()).hexdigest()[:12]
    folder = paths.cache_folder() / "wheels" / f"{requirements.stem}-{key}"
    with paths.exclusive(f"wheels-{requirements.stem}"):
        if not folder.exists():
            draft = folder.with_name(f".{folder.name}")
            shutil.rmtree(draft, ignore_errors=True)
            with step(f"Fetching the wheels of {requirements.name}"):
                _download(requirements, draft)
            draft.replace(folder)
    return folder


def _download(requirements: Path, folder: Path) -> None:
    command = [*pypi.pip(), "download", "--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:"]
    command += ["--python-version", IMAGE_PYTHON, "--implementation", "cp"]
    for each in platforms(platform.machine()):
        command += ["--platform", each]
    with tempfile.NamedTemporaryFile("w", prefix="insight-requirements-", suffix=".txt") as file:
        file.write(for_image(requirements.read_text()))
        file.flush()
        _run(
            [*command, "--dest", str(folder), "--requirement", file.name],
            f"the wheels of {requirements.name}",
        )


def project_wheel(folder: Path) -> None:
    """Build the project's own wheel into `folder`, with the build backend of the development environment."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    _run(command, "the project's wheel")


def _run(command: list[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=paths.REPOSITORY)
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise ClusterError(f"Making {what} failed ({last}); check pip's access to PyPI and run this again.")
