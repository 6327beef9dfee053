"""Root file systems that images start from, made by mmdebstrap from the distribution's packages and cached.

Two of them: Python for the product's images, and one with what the PostgreSQL and Redis stand-ins need.
"""

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dev.cluster import debs, paths
from dev.cluster.errors import ClusterError
from dev.cluster.progress import step

SUITE = "bookworm"
_DEBIAN_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_EXCLUDED = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")


@dataclass(frozen=True)
class Rootfs:
    """A named root file system and the packages it has beyond Debian's minimum."""

    name: str
    packages: tuple[str, ...]

    @property
    def key(self) -> str:
        """Return the digest of everything that decides the content, package versions of the day excepted."""
        return hashlib.sha256("\n".join([SUITE, *self.packages, *_EXCLUDED]).encode()).hexdigest()[:12]

    @property
    def image(self) -> str:
        """Return the name under which the container engine keeps it."""
        return f"insight-{self.name}:{self.key}"

    @property
    def archive(self) -> Path:
        """Return where the cached archive is, made or not."""
        return paths.cache_folder() / "images" / f"{self.name}-{self.key}.tar"


PYTHON = Rootfs("python", ("python3", "python3-venv"))
STANDIN = Rootfs("standin", ("redis-server", "redis-tools"))


def ensure(wanted: tuple[Rootfs, ...]) -> None:
    """Make the archives that are missing, at the same time.

    Raises ClusterError with the last line of mmdebstrap's output when one cannot be made.
    """
    with paths.exclusive("rootfs"):
        missing = [each for each in wanted if not each.archive.exists()]
        if not missing:
            return
        tools = debs.ensure()
        with step(
            f"Making {' and '.join(each.name for each in missing)} root file systems (a minute, then cached)"
        ):
            running = [(each, _start(each, tools)) for each in missing]
            for each, process in running:
                _finish(each, process)


def _draft(rootfs: Rootfs) -> Path:
    return rootfs.archive.with_name(f".draft-{rootfs.archive.name}")


def _log(rootfs: Rootfs) -> Path:
    return paths.cache_folder() / "logs" / f"rootfs-{rootfs.name}.log"


def _start(rootfs: Rootfs, tools: debs.Debs) -> subprocess.Popen[bytes]:
    rootfs.archive.parent.mkdir(parents=True, exist_ok=True)
    _log(rootfs).parent.mkdir(parents=True, exist_ok=True)
    command = [str(tools.program("mmdebstrap")), "--mode=root", "--variant=minbase"]
    command += [f"--include={','.join(rootfs.packages)}"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in _EXCLUDED]
    if not _DEBIAN_KEYS.exists():  # Ubuntu trusts its own keys only
        command += [f"--keyring={tools.root / _DEBIAN_KEYS.relative_to('/')}"]
    command += [SUITE, str(_draft(rootfs))]
    environment = {**os.environ, **tools.environment(), "SOURCE_DATE_EPOCH": "0"}
    with _log(rootfs).open("wb") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)


def _finish(rootfs: Rootfs, process: subprocess.Popen[bytes]) -> None:
    if process.wait() != 0:
        lines = _log(rootfs).read_text(errors="replace").strip().splitlines() or ["no output"]
        raise ClusterError(
            f"mmdebstrap could not make {rootfs.name} ({lines[-1]}); its log is {_log(rootfs)}."
        )
    _draft(rootfs).replace(rootfs.archive)
