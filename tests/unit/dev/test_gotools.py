"""Cache keys of built programs, and the choice of the Go toolchain."""

from pathlib import Path

import pytest

from dev.cluster import gotools, paths
from dev.cluster.gotools import GoTool

TOOL = GoTool("thing", "module", "example.test/thing")


@pytest.fixture
def module(tmp_path: Path) -> Path:
    (tmp_path / "go.mod").write_text("module x\n\ngo 1.26.0\n")
    (tmp_path / "go.sum").write_text("a\n")
    return tmp_path


def test_unchanged_module_keeps_its_key(module: Path) -> None:
    assert gotools.build_key(TOOL, module) == gotools.build_key(TOOL, module)


@pytest.mark.parametrize("name", ["go.mod", "go.sum", "main.go"])
def test_changed_module_file_changes_the_key(module: Path, name: str) -> None:
    before = gotools.build_key(TOOL, module)
    (module / name).write_text("changed")
    assert gotools.build_key(TOOL, module) != before


def test_changed_link_flags_change_the_key(module: Path) -> None:
    other = GoTool(TOOL.name, TOOL.module, TOOL.package, "-X v=2")
    assert gotools.build_key(TOOL, module) != gotools.build_key(other, module)


def test_go_version_a_module_asks_for_is_read(module: Path) -> None:
    assert gotools.required_go(module) == (1, 26, 0)


@pytest.mark.parametrize(
    ("said", "version"),
    [("go version go1.26.8 linux/amd64", (1, 26, 8)), ("go version go1.19 linux/arm64", (1, 19)), ("", ())],
)
def test_go_version_of_a_toolchain_is_read(said: str, version: tuple[int, ...]) -> None:
    assert gotools.parse_go_version(said) == version


@pytest.mark.parametrize("tool", gotools.TOOLS, ids=lambda tool: tool.name)
def test_every_tool_has_a_locked_module(tool: GoTool) -> None:
    assert (paths.TOOLS / tool.module / "go.sum").is_file()


def test_kubernetes_is_built_with_the_version_its_module_locks() -> None:
    locked = (paths.TOOLS / "kubernetes" / "go.mod").read_text()
    assert f"k8s.io/kubernetes {gotools.KUBERNETES_VERSION}" in locked
