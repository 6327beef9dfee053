"""A lock of one name is held by one command at a time."""

from pathlib import Path

import pytest

from dev.cluster import paths


def test_a_lock_that_is_held_is_not_waited_for_when_so_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "cache_folder", lambda: tmp_path)
    with paths.exclusive("tests"):
        with pytest.raises(BlockingIOError), paths.exclusive("tests", wait=False):
            pass
        with paths.exclusive("others", wait=False):
            pass
    with paths.exclusive("tests", wait=False):
        pass
