"""Secret sets: read whole, followed as they change, wrong ones named."""

from pathlib import Path

import pytest

from insight_engine.adapters.config.endpoints import broker_login, database_login
from insight_engine.adapters.config.secrets import Watched, read_set, stamp
from insight_engine.domain.errors import ConfigurationError


def put(root: Path, name: str, **files: str) -> None:
    (root / name).mkdir(exist_ok=True)
    for file, text in files.items():
        (root / name / file).write_text(text)


def publish(root: Path, name: str, generation: str, **files: str) -> None:
    """Replace a set as the kubelet does: a fresh folder, then one swing of the ..data link."""
    fresh = root / name / f"..{generation}"
    fresh.mkdir(parents=True)
    for file, text in files.items():
        (fresh / file).write_text(text)
    link = root / name / "..data_new"
    link.symlink_to(fresh.name)
    link.rename(root / name / "..data")


def test_a_set_that_is_not_mounted_is_none(tmp_path: Path) -> None:
    assert read_set(tmp_path, "jwt") is None


def test_a_set_is_read_through_its_data_link(tmp_path: Path) -> None:
    publish(tmp_path, "broker", "1", username="a", password="one\n")
    publish(tmp_path, "broker", "2", username="b", password="two")
    assert read_set(tmp_path, "broker") == {"username": "b", "password": "two"}


def test_a_change_is_followed_within_a_second(tmp_path: Path) -> None:
    publish(tmp_path, "broker", "1", password="one")
    now = [0.0]
    watched = Watched(
        lambda: stamp(tmp_path, "broker"), lambda: read_set(tmp_path, "broker"), clock=lambda: now[0]
    )
    publish(tmp_path, "broker", "2", password="two")
    assert watched.get() == {"password": "one"}
    now[0] = 1.0
    assert watched.get() == {"password": "two"}


def test_a_change_that_cannot_be_used_keeps_the_value_before(tmp_path: Path) -> None:
    put(tmp_path, "jwt", key="good")
    now, errors = [0.0], list[str]()

    def load() -> str:
        text = (read_set(tmp_path, "jwt") or {})["key"]
        if text == "bad":
            raise ConfigurationError("bad", "bad key")
        return text

    watched = Watched(lambda: stamp(tmp_path, "jwt"), load, lambda e: errors.append(e.code), lambda: now[0])
    put(tmp_path, "jwt", key="bad")
    now[0] = 1.0
    assert watched.get() == "good"
    assert errors == ["bad"]


def test_the_parts_of_a_database_login_are_quoted(tmp_path: Path) -> None:
    put(tmp_path, "database", host="db", dbname="insight", username="ie", password="p@ss/w:rd %")
    expected = "postgresql://ie:p%40ss%2Fw%3Ard%20%25@db:5432/insight"
    assert database_login(tmp_path).conninfo == expected


def test_a_uri_wins_over_the_parts(tmp_path: Path) -> None:
    put(tmp_path, "database", uri="postgresql://a@b/c", host="other")
    assert database_login(tmp_path).conninfo == "postgresql://a@b/c"


def test_a_login_does_not_show_itself(tmp_path: Path) -> None:
    put(tmp_path, "database", uri="postgresql://a:CANARY@b/c")
    put(tmp_path, "broker", uri="redis://u:CANARY@b/0")
    assert "CANARY" not in repr((database_login(tmp_path), broker_login(tmp_path)))


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    put(tmp_path, "database", host="db", dbname="x")
    with pytest.raises(ConfigurationError, match="Secret set database has no username and no password"):
        database_login(tmp_path)


@pytest.mark.parametrize("uri", ["mysql://a/b", "redis://", "postgresql:/x", ""])
def test_an_address_of_another_kind_is_refused(tmp_path: Path, uri: str) -> None:
    put(tmp_path, "database", uri=uri)
    put(tmp_path, "broker", uri=uri)
    with pytest.raises(ConfigurationError):
        database_login(tmp_path)
    with pytest.raises(ConfigurationError):
        broker_login(tmp_path)


def test_a_broker_login_from_its_uri(tmp_path: Path) -> None:
    put(tmp_path, "broker", uri="rediss://ie:p%40ss@cache:6380/2")
    login = broker_login(tmp_path)
    assert (login.host, login.port, login.database, login.tls) == ("cache", 6380, 2, True)
    assert (login.username, login.password) == ("ie", "p@ss")
