"""Long-running programs started by us: start, recognise again in a later command, stop.

A process is ours only if its id, its start time and the machine's boot all match the record written when it
was started; nothing is ever ended by name.
"""

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from dev.cluster import paths
from dev.cluster.errors import ClusterError

Check = Callable[[], bool]
_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}
_STAT_STATE, _STAT_START = 0, 19


@dataclass(frozen=True)
class Record:
    """What identifies a started process, and the fingerprint of its command and settings."""

    pid: int
    start_time: int
    boot_id: str
    fingerprint: str


def boot_id() -> str:
    """Return the identity of the machine's current boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def fingerprint(command: list[str], settings: list[Path]) -> str:
    """Digest a command line and the content of the files it reads, to see later whether a restart is due."""
    digest = hashlib.sha256("\0".join(command).encode())
    for path in settings:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def start_time(pid: int) -> int | None:
    """Return the kernel's start tick of a living process, None if it is gone or a zombie.

    A zombie whose other threads still run is not gone: they hold its ports.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        threads = sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[_STAT_STATE] in "ZX" and threads <= 1 else int(fields[_STAT_START])


class Daemon:
    """One background program with a record and a log in a folder of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.record_path = folder / "run" / f"{name}.json"
        self.log = folder / "logs" / f"{name}.log"

    def record(self) -> Record | None:
        """Return the record of a living process of ours, None if there is no such process."""
        try:
            found = Record(**json.loads(self.record_path.read_text()))
        except (FileNotFoundError, json.JSONDecodeError, TypeError):
            return None
        same_boot = found.boot_id == boot_id()
        return found if same_boot and start_time(found.pid) == found.start_time else None

    def alive(self) -> bool:
        """Tell whether the process we started is still running."""
        child = _CHILDREN.get(current.pid) if (current := self.record()) else None
        return current is not None and (child is None or child.poll() is None)

    def start(
        self, command: list[str], settings: list[Path], environment: Mapping[str, str] | None = None
    ) -> bool:
        """Start the program unless it runs with this command and settings; tell whether it was started."""
        wanted = fingerprint(command, settings)
        if (current := self.record()) is not None:
            if current.fingerprint == wanted:
                return False
            self.stop()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **(environment or {})},
            )
        _CHILDREN[child.pid] = child
        started = start_time(child.pid)
        if started is not None:
            record = Record(child.pid, started, boot_id(), wanted)
            paths.write_atomically(self.record_path, json.dumps(asdict(record)))
        return True

    def require_alive(self) -> None:
        """Raise ClusterError with the end of the log if the program has ended by itself."""
        if not self.alive():
            lines = self.log.read_text(errors="replace").splitlines()[-8:] if self.log.exists() else []
            raise ClusterError(
                f"{self.name} ended at once; its log {self.log} says why:\n" + "\n".join(lines)
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process if it is still ours."""
        if (current := self.record()) is not None:
            os.kill(current.pid, number)

    def stop(self, patience_s: float = 15.0) -> None:
        """End the process and wait until it is gone: TERM first, KILL after `patience_s` seconds."""
        self.signal(signal.SIGTERM)
        deadline = time.monotonic() + patience_s
        while self.alive():
            if time.monotonic() > deadline:
                self.signal(signal.SIGKILL)
            time.sleep(0.02)
        self.record_path.unlink(missing_ok=True)
