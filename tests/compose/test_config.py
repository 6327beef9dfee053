"""What each combination of files comes to is what readers reviewed."""

import subprocess

import pytest

from dev.cluster import paths
from dev.compose import golden
from dev.compose.deployments import FILES, compose


@pytest.mark.parametrize("name", list(FILES))
def test_a_combination_is_valid_and_equals_its_golden_file(name: str) -> None:
    assert golden.rendered(name) == golden.path(name).read_text(), "run `python -m dev.compose golden`"


def test_the_base_alone_is_valid() -> None:
    base = subprocess.run(
        [*compose(), "config", "--quiet"], cwd=paths.REPOSITORY, check=False, capture_output=True
    )
    assert base.returncode == 0, base.stderr
