"""The one image a cluster needs before it can pull any: pause container, DNS, volume provisioner, its shell.

Named by its content, so a changed program gives a new name and restarts what runs it.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from dev.cluster import image_archive, paths
from dev.cluster.debs import Debs

_APPLETS = ("sh", "sleep", "mkdir", "rm", "chmod", "ls", "cat")


def ensure(binaries: Mapping[str, Path], debs: Debs) -> tuple[str, Path]:
    """Return the image's reference and its archive, writing the archive if it is not in the cache."""
    programs = {
        "bin/busybox": debs.program("busybox"),
        "coredns": binaries["coredns"],
        "local-path-provisioner": binaries["local-path-provisioner"],
    }
    digest = hashlib.sha256()
    for name, source in sorted(programs.items()):
        digest.update(f"{name} {source} {source.stat().st_size}\n".encode())
    key = digest.hexdigest()[:12]
    reference = f"localhost/insight-system:{key}"
    archive = paths.cache_folder() / "images" / f"system-{key}.tar"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        image_archive.write(archive, reference, programs, {f"bin/{name}": "busybox" for name in _APPLETS})
    return reference, archive
