"""The run folder: the one place this process writes, under INSIGHT_TMP_DIR. Metrics, ticks, drain marks."""

import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

METRICS_ENV: Final = "PROMETHEUS_MULTIPROC_DIR"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Files shared by the processes of one command."""

    path: Path

    @property
    def metrics(self) -> Path:
        """Where prometheus keeps its files."""
        return self.path / "metrics"

    def tick(self, **facts: Any) -> None:
        """Say that this process is alive, and what it knows."""
        self._write(self.path / "ticks" / str(os.getpid()), facts)

    def ticks(self) -> list[dict[str, Any]]:
        """What the living processes last said, each with its `pid` and its `age` in seconds."""
        found = []
        for file in (self.path / "ticks").iterdir():
            if file.suffix:
                continue
            if not alive(int(file.name)):
                file.unlink(missing_ok=True)
                continue
            if (said := _read(file)) is not None:
                found.append({**said, "pid": int(file.name)})
        return found

    def speaks_for_all(self) -> bool:
        """Whether this process is the one that asks the store for what concerns all of them."""
        pids = [int(file.name) for file in (self.path / "ticks").iterdir() if not file.suffix]
        return min((pid for pid in pids if alive(pid)), default=None) == os.getpid()

    def put_figures(self, **figures: Any) -> None:
        """Keep what was read of the store for whoever asks this pod."""
        self._write(self.path / "figures", figures)

    def figures(self) -> dict[str, Any] | None:
        """What was last read of the store, with its `age` in seconds; None when nothing was yet."""
        return _read(self.path / "figures")

    def mark_draining(self) -> None:
        """Tell every process of this command to take no more work, and to leave."""
        (self.path / "draining").touch()

    @property
    def draining(self) -> bool:
        """Whether that was told."""
        return (self.path / "draining").exists()

    def mark_resting(self) -> None:
        """Tell every process of this command to take no more work, and to stay until it is told to leave."""
        (self.path / "resting").touch()

    @property
    def resting(self) -> bool:
        """Whether either was told: no more work is taken."""
        return (self.path / "resting").exists() or self.draining

    def remove(self) -> None:
        """Leave no trace."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _write(self, target: Path, facts: dict[str, Any]) -> None:
        fresh = target.with_suffix(f".new{os.getpid()}")
        fresh.write_text(json.dumps({"at": time.monotonic(), **facts}))
        fresh.replace(target)


def prepare(tmp_dir: Path) -> RunFolder:
    """Make this command's folder and clear away those of commands that are gone."""
    for old in tmp_dir.glob("insight-run-*"):
        owner = old.name.removeprefix("insight-run-")
        if not owner.isdigit() or int(owner) == os.getpid() or not alive(int(owner)):
            shutil.rmtree(old, ignore_errors=True)
    folder = RunFolder(tmp_dir / f"insight-run-{os.getpid()}")
    for part in (folder.metrics, folder.path / "ticks"):
        part.mkdir(parents=True, mode=0o700)
    os.environ[METRICS_ENV] = str(folder.metrics)
    return folder


def _read(file: Path) -> dict[str, Any] | None:
    """What a process wrote, with its age; None when it is gone."""
    try:
        said = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    return {**said, "age": time.monotonic() - said["at"]}


def alive(pid: int) -> bool:
    """Whether a process of that id still runs; one that was killed lingers until it is reaped."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (OSError, IndexError):
        return _answers(pid)
    return state not in {b"Z", b"X"}


def _answers(pid: int) -> bool:
    """The same where there is no /proc."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
