"""Writes a container image as a Docker archive without any container engine.

For the one image the cluster itself needs before it can build or pull any other. Reproducible to the byte.
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

_EPOCH = "1970-01-01T00:00:00Z"


def write(target: Path, reference: str, programs: Mapping[str, Path], links: Mapping[str, str]) -> None:
    """Write an image named `reference` to `target`.

    `programs` maps paths in the image to files of this machine, `links` symbolic links to their targets.
    Its entrypoint sleeps for ever, so it serves as the pause container too.
    """
    layer = _layer(programs, links)
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps(
        {
            "architecture": _architecture(),
            "os": "linux",
            "created": _EPOCH,
            "config": {"Entrypoint": ["/bin/sleep", "2147483647"], "Env": ["PATH=/bin:/"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
            "history": [{"created": _EPOCH}],
        },
        sort_keys=True,
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [reference], "Layers": [f"{digest}/layer.tar"]}]
    draft = target.with_name(f".{target.name}")
    with tarfile.open(draft, "w") as archive:
        _add(archive, config_name, config)
        _add(archive, f"{digest}/layer.tar", layer)
        _add(archive, "manifest.json", json.dumps(manifest).encode())
    draft.replace(target)


def _layer(programs: Mapping[str, Path], links: Mapping[str, str]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as layer:
        for folder in ("bin", "tmp", "etc"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            layer.addfile(entry)
        for name, source in sorted(programs.items()):
            _add(layer, name, source.read_bytes(), mode=0o755)
        for name, target in sorted(links.items()):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            layer.addfile(entry)
    return stream.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def _architecture() -> str:
    import platform

    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
