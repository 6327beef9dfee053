"""A Docker engine, ours where there is none, and a copy of the checkout that tests may change."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.cluster import paths
from dev.compose.deployments import Docker, own_docker, persons_docker, stop_own_docker
from dev.compose.golden import VARIABLES
from support.repository import tracked


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    """The engine. Without root and without a Docker engine nothing here can run."""
    found = persons_docker()
    if found is None and os.geteuid() != 0:
        pytest.skip("Compose needs a Docker engine, or root to start one: run as root or start Docker")
    yield found or own_docker()
    if found is None:
        stop_own_docker()


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what Git tracks, and of what is new, so that no test changes the checkout."""
    folder = tmp_path_factory.mktemp("checkout")
    for source in tracked():
        target = folder / source.relative_to(paths.REPOSITORY)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    return folder


@pytest.fixture(autouse=True, scope="session")
def _no_settings_of_the_person() -> Iterator[None]:
    """Without variables that would change what is deployed."""
    with pytest.MonkeyPatch.context() as patch:
        for name in VARIABLES:
            patch.delenv(name, raising=False)
        yield
