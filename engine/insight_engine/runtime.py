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
        target = self.path / "ticks" / str(os.getpid())
        fresh = target.with_suffix(".new")
        fresh.write_text(json.dumps({"at": time.monotonic(), **facts}))
        fresh.replace(target)

    def ticks(self) -> list[dict[str, Any]]:
        """What the living processes last said, each with its `age` in seconds."""
        found = []
        for file in (self.path / "ticks").iterdir():
            if file.suffix:
                continue
            if not _alive(int(file.name)):
                file.unlink(missing_ok=True)
                continue
            said = json.loads(file.read_text())
            found.append({**said, "age": time.monotonic() - said["at"]})
        return found

    def mark_draining(self) -> None:
        """Tell every process of this command to take no more work."""
        (self.path / "draining").touch()

    @property
    def draining(self) -> bool:
        """Whether that was told."""
        return (self.path / "draining").exists()

    def remove(self) -> None:
        """Leave no trace."""
        shutil.rmtree(self.path, ignore_errors=True)


def prepare(tmp_dir: Path) -> RunFolder:
    """Make this command's folder and clear away those of commands that are gone."""
    for old in tmp_dir.glob("insight-run-*"):
        owner = old.name.removeprefix("insight-run-")
        if not owner.isdigit() or int(owner) == os.getpid() or not _alive(int(owner)):
            shutil.rmtree(old, ignore_errors=True)
    folder = RunFolder(tmp_dir / f"insight-run-{os.getpid()}")
    for part in (folder.metrics, folder.path / "ticks"):
        part.mkdir(parents=True, mode=0o700)
    os.environ[METRICS_ENV] = str(folder.metrics)
    return folder


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
