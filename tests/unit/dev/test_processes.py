"""Background programs: recognised again by record, never confused with a stranger that has the same id."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from dev.cluster import processes
from dev.cluster.errors import ClusterError
from dev.cluster.processes import Daemon

SLEEP = ["sleep", "60"]


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon("sleeper", tmp_path)
    yield made
    made.stop(patience_s=1)


def test_started_program_is_alive_for_a_later_command(daemon: Daemon, tmp_path: Path) -> None:
    daemon.start(SLEEP, [])
    assert Daemon("sleeper", tmp_path).alive()


def test_start_twice_starts_once(daemon: Daemon) -> None:
    assert [daemon.start(SLEEP, []), daemon.start(SLEEP, [])] == [True, False]


def test_changed_command_restarts_the_program(daemon: Daemon) -> None:
    daemon.start(SLEEP, [])
    before = daemon.record()
    daemon.start(["sleep", "61"], [])
    after = daemon.record()
    assert before is not None
    assert after is not None
    assert before.pid != after.pid


def test_changed_settings_file_restarts_the_program(daemon: Daemon, tmp_path: Path) -> None:
    settings = tmp_path / "settings"
    settings.write_text("a")
    daemon.start(SLEEP, [settings])
    settings.write_text("b")
    assert daemon.start(SLEEP, [settings])


def test_stop_waits_until_the_process_is_gone(daemon: Daemon) -> None:
    daemon.start(SLEEP, [])
    record = daemon.record()
    daemon.stop()
    assert record is not None
    assert processes.start_time(record.pid) is None


@pytest.mark.parametrize("stranger", [{"start_time": 1}, {"boot_id": "another boot"}])
def test_stranger_with_the_recorded_id_is_left_alone(daemon: Daemon, stranger: dict[str, object]) -> None:
    ours = processes.Record(os.getpid(), processes.start_time(os.getpid()) or 0, processes.boot_id(), "x")
    daemon.record_path.parent.mkdir(parents=True)
    daemon.record_path.write_text(json.dumps(asdict(replace(ours, **stranger))))  # type: ignore[arg-type]
    daemon.stop(patience_s=0.1)
    assert processes.start_time(os.getpid()) is not None


def test_program_that_ends_early_is_reported_with_its_last_words(daemon: Daemon) -> None:
    daemon.start(["sh", "-c", "echo out of luck >&2; exit 3"], [])
    while daemon.alive():
        pass
    with pytest.raises(ClusterError, match="out of luck"):
        daemon.require_alive()
