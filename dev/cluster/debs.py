"""System programs a bare Debian or Ubuntu lacks, unpacked into the cache and never installed.

Installing containerd could evict a person's Docker; unpacking cannot. The machine's apt resolves the list.
"""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from dev.cluster import paths
from dev.cluster.errors import ClusterError
from dev.cluster.progress import say, step

PACKAGES = (
    "containerd",
    "runc",
    "containernetworking-plugins",
    "nftables",
    "iproute2",
    "docker.io",
    "mmdebstrap",
    "busybox-static",
    "debian-archive-keyring",
)
_PROGRAM_FOLDERS = ("usr/sbin", "usr/bin", "sbin", "bin")
_NEEDED_PROGRAMS = ("containerd", "ctr", "runc", "nft", "ip", "dockerd", "docker", "mmdebstrap", "busybox")


class Debs:
    """The folder of unpacked packages, and the environment that lets their programs find each other."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def environment(self) -> dict[str, str]:
        """Return PATH and, for libraries the machine lacks, LD_LIBRARY_PATH."""
        search = [str(self.root / folder) for folder in _PROGRAM_FOLDERS]
        search += [os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/bin", "/bin"]
        libraries = [str(folder) for folder in sorted((self.root / "usr/lib").glob("*-linux-gnu*"))]
        libraries += [str(folder) for folder in sorted((self.root / "lib").glob("*-linux-gnu*"))]
        return {"PATH": ":".join(search), "LD_LIBRARY_PATH": ":".join(libraries)}

    def program(self, name: str) -> Path:
        """Return an unpacked program, or the machine's own.

        Raises ClusterError naming the program when neither is there.
        """
        found = shutil.which(name, path=self.environment()["PATH"])
        if found is None:
            raise ClusterError(
                f"The program {name} is in no package below {self.root}; install it and run this again."
            )
        return Path(found)

    @property
    def cni_plugins(self) -> Path:
        """Folder of the container network plugins."""
        unpacked = self.root / "usr/lib/cni"
        return unpacked if unpacked.exists() else Path("/usr/lib/cni")


def folder_key(os_release: str, packages: tuple[str, ...] = PACKAGES) -> str:
    """Return the cache key of the unpacked packages: they belong to one release of one distribution."""
    return hashlib.sha256("\n".join([os_release, *packages]).encode()).hexdigest()[:12]


def ensure() -> Debs:
    """Unpack what is missing and return the folder.

    Raises ClusterError naming the package or program that cannot be had.
    """
    return unpack(PACKAGES, _NEEDED_PROGRAMS, "container tools")


def unpack(packages: tuple[str, ...], programs: tuple[str, ...], what: str) -> Debs:
    """Unpack packages into a cache folder of their own, unless they are there; `what` tells a person.

    Raises ClusterError naming the package, or the one of `programs`, that cannot be had.
    """
    root = paths.cache_folder() / "debs" / folder_key(Path("/etc/os-release").read_text(), packages)
    debs = Debs(root)
    if not root.exists():
        with paths.exclusive("debs"):
            if not root.exists():
                _unpack_into(root, packages, what)
    for name in programs:
        _require_libraries(debs, debs.program(name))
    return debs


def _unpack_into(root: Path, packages: tuple[str, ...], what: str) -> None:
    if shutil.which("apt-get") is None:
        raise ClusterError(
            f"There is no apt-get here; install these packages' programs yourself: {', '.join(packages)}."
        )
    draft = root.with_name(f".{root.name}.{os.getpid()}")
    archives = draft.with_suffix(".archives")
    archives.mkdir(parents=True)
    with step(f"Taking {what} from the distribution's packages (unpacked into the cache, not installed)"):
        _download(archives, packages)
        for archive in sorted(archives.glob("*.deb")):
            subprocess.run(["dpkg-deb", "-x", str(archive), str(draft)], check=True)
    shutil.rmtree(archives)
    draft.replace(root)


def _download(folder: Path, packages: tuple[str, ...]) -> None:
    """Fetch the packages into `folder`, updating apt's lists once if they are absent or out of date."""
    try:
        _apt(["download", *_resolve(packages)], folder)
    except ClusterError:
        say("  updating apt's package lists")
        _apt(["update"], folder)
        _apt(["download", *_resolve(packages)], folder)


def _resolve(packages: tuple[str, ...]) -> list[str]:
    """Return the packages and whatever they depend on that this machine lacks."""
    simulate = ["apt-get", "install", "--simulate", "--no-install-recommends", *packages]
    answer = subprocess.run(
        simulate, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}
    )
    if answer.returncode != 0:
        last = (answer.stderr.strip() or answer.stdout.strip()).splitlines()[-1]
        raise ClusterError(f"apt cannot offer a package that is needed: {last}")
    return sorted(set(missing_packages(answer.stdout)) | set(packages))


def missing_packages(simulation: str) -> list[str]:
    """Return the packages that `apt-get install --simulate` would install."""
    return [line.split()[1] for line in simulation.splitlines() if line.startswith("Inst ")]


def _apt(arguments: list[str], folder: Path) -> None:
    command = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip() or "no output").splitlines()[-1]
        raise ClusterError(
            f"`apt-get {arguments[0]}` failed ({last}); check apt's sources and run this again."
        )


def _require_libraries(debs: Debs, program: Path) -> None:
    answer = subprocess.run(
        ["ldd", str(program)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **debs.environment()},
    )
    missing = [line.split()[0] for line in answer.stdout.splitlines() if "not found" in line]
    if missing:
        raise ClusterError(
            f"{program} lacks {', '.join(missing)}; install the package that has it and run this again."
        )
