"""Rules of the repository that no linter knows."""

import re
from pathlib import Path

import pytest

from support.repository import tracked

ROOT = Path(__file__).resolve().parents[3]
# Written in pieces, so that this file does not match itself.
_REGISTRY_HOSTS = [
    "py" + r"pi\.org",
    "python" + r"hosted\.org",
    "npm" + r"js\.org",
    "proxy" + r"\.golang\.org",
    "sum" + r"\.golang\.org",
    "deb" + r"\.debian\.org",
    "repo1?" + r"\.maven\.org",
    "crates" + r"\.io",
]


def test_no_file_names_a_package_registry() -> None:
    pattern = re.compile("|".join(_REGISTRY_HOSTS))
    naming = [
        str(path.relative_to(ROOT)) for path in tracked() if pattern.search(path.read_text(errors="ignore"))
    ]
    assert naming == []


@pytest.mark.parametrize("folder", ["operator", "engine"])
def test_the_two_roots_are_no_packages(folder: str) -> None:
    """`operator/__init__.py` would shadow the standard library's module on Python 3.12 and later."""
    assert not (ROOT / folder / "__init__.py").exists()


def test_tests_and_dev_are_namespace_folders() -> None:
    found = [path for folder in ("tests", "dev") for path in (ROOT / folder).rglob("__init__.py")]
    assert found == []


def test_labels_and_annotations_are_spelled_in_naming_alone() -> None:
    elsewhere = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "operator" / "insight_operator").rglob("*.py")
        if path.name != "naming.py" and "app.kubernetes.io/" in path.read_text()
    ]
    assert elsewhere == []


def test_the_makefile_has_at_most_fifteen_targets_and_explains_each() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)
    explained = re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE)
    assert targets == explained
    assert len(targets) <= 15


def test_only_the_three_example_env_files_may_be_tracked() -> None:
    allowed = {"docker/env/.env.example", "docker/env/.env.dev", "docker/env/.env.stage"}
    found = {str(path.relative_to(ROOT)) for path in tracked() if path.name.startswith(".env")}
    assert found <= allowed
