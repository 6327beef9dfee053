"""The start scripts of the managed components do their work once, and a second start changes nothing."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from insight_operator.desired import redis


@pytest.fixture
def seed(tmp_path: Path) -> str:
    for name, password in (("broker", "pw-one"), ("broker-admin", "pw-two")):
        folder = tmp_path / "sets" / name
        folder.mkdir(parents=True)
        (folder / "password").write_text(password)
    (tmp_path / "volume").mkdir()
    script = redis.SEED_USERS.replace("/var/run/insight", str(tmp_path / "sets"))
    return script.replace("/data/", f"{tmp_path / 'volume'}/")


def _run(script: str) -> None:
    subprocess.run(["sh", "-c", script], check=True)


def test_redis_users_are_seeded_with_hashes_only(seed: str, tmp_path: Path) -> None:
    _run(seed)
    text = (tmp_path / "volume" / "users.acl").read_text()
    assert "pw-" not in text
    assert f"user ie on #{hashlib.sha256(b'pw-one').hexdigest()} " in text
    assert f"user ie-admin on #{hashlib.sha256(b'pw-two').hexdigest()} " in text
    assert text.startswith("user default off\n")


def test_redis_users_that_exist_are_left_alone(seed: str, tmp_path: Path) -> None:
    file = tmp_path / "volume" / "users.acl"
    file.write_text("user default off\nuser ie on #rotated\n")
    _run(seed)
    assert file.read_text().endswith("#rotated\n")


def test_redis_users_are_readable_by_the_server_alone(seed: str, tmp_path: Path) -> None:
    _run(seed)
    assert (tmp_path / "volume" / "users.acl").stat().st_mode & 0o077 == 0


def test_a_missing_password_seeds_nothing(seed: str, tmp_path: Path) -> None:
    (tmp_path / "sets" / "broker" / "password").unlink()
    with pytest.raises(subprocess.CalledProcessError):
        _run(seed)
    assert not (tmp_path / "volume" / "users.acl").exists()
