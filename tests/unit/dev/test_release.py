"""A release's folder holds what a commit held, is written once, and sorts by its version."""

import io
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from dev import release
from dev.cluster.errors import ClusterError

ENGINES = "kind: InsightEngine\n"


def git(repository: Path, *arguments: str) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=repository, check=True, capture_output=True)


def commit(repository: Path, version: str) -> None:
    """Commit a chart of this version, with a definition and an operator that say so."""
    for name, content in {
        "charts/insight-operator/Chart.yaml": f"name: insight-operator\nversion: {version}\n",
        "charts/insight-operator/files/insightengine.yaml": f"# {version}\n",
        "operator/insight_operator/__init__.py": f"# {version}\n",
    }.items():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(content)
    git(repository, "add", "--all")
    git(repository, "commit", "--message", version)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet")
    commit(tmp_path, "0.9.0")
    return tmp_path


@pytest.fixture
def engines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("engines") / "given.yaml"
    file.write_text(ENGINES)
    return file


def test_the_folder_holds_what_the_commit_held(repository: Path, engines: Path) -> None:
    commit(repository, "0.10.0")
    folder = release.write(repository, "HEAD~1", engines)
    assert folder.name.startswith("0.9.0-")
    assert (folder / "crd.yaml").read_text() == "# 0.9.0\n"
    assert (folder / "engines.yaml").read_text() == ENGINES
    with zipfile.ZipFile(folder / "operator.zip") as operator:
        assert operator.read("insight_operator/__init__.py") == b"# 0.9.0\n"
    with tarfile.open(fileobj=io.BytesIO((folder / "chart.tgz").read_bytes())) as chart:
        assert "insight-operator/Chart.yaml" in chart.getnames()


def test_the_engines_of_the_release_before_are_taken_over(repository: Path, engines: Path) -> None:
    first = release.write(repository, "HEAD", engines)
    commit(repository, "0.10.0")
    second = release.write(repository, "HEAD")
    assert (second / "engines.yaml").read_text() == ENGINES
    assert sorted((second, first), key=release.order) == [first, second]


def test_a_version_is_kept_once(repository: Path, engines: Path) -> None:
    folder = release.write(repository, "HEAD", engines)
    with pytest.raises(ClusterError, match=r"0\.9\.0 is kept already, as .*; raise `version`"):
        release.write(repository, "HEAD", engines)
    assert list(folder.parent.iterdir()) == [folder]


def test_nothing_is_written_when_something_is_missing(repository: Path, engines: Path) -> None:
    with pytest.raises(ClusterError, match="--engines"):
        release.write(repository, "HEAD")
    with pytest.raises(ClusterError, match="git rev-parse"):
        release.write(repository, "no-such-commit", engines)
    git(repository, "rm", "-r", "--quiet", "operator")
    git(repository, "commit", "--message", "no operator")
    with pytest.raises(ClusterError, match="git archive"):
        release.write(repository, "HEAD", engines)
    assert not (repository / release.RELEASED).exists()
