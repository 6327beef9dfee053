"""E7: an embedded engine, from starting the process to its first answer."""

import tempfile
import time
from pathlib import Path

from dev.bench.figures import Figure, Findings, load, percentile, spread
from support.engine_client import EngineClient
from support.engine_process import ADMIN, EngineHome

STARTS = 5
GOAL_MS = 3000


def embedded_start(_samples: int) -> Findings:
    """E7: on a new data folder and on one that exists."""
    found = Findings()
    first: list[float] = []
    again: list[float] = []
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory(prefix="insight-bench-") as data, EngineHome() as home:
            password = None
            for times in (first, again):
                took, password = _start(home, Path(data), password)
                times.append(took)
    for name, times in (("new data folder", first), ("existing data folder", again)):
        met = percentile(times, 95) <= GOAL_MS
        measured = f"{spread(times)}, n {STARTS}"
        found.add(
            Figure(f"E7 embedded start → first answer, {name}", "≤ 3 s", measured, met), **{name: times}
        )
    found.raw["load"] = load()
    return found


def _start(home: EngineHome, data: Path, password: str | None) -> tuple[float, str]:
    started = time.perf_counter()
    command = home.start("serve", "--embedded", "--data", str(data), "--port", str(home.api_port))
    home.wait_for(f"{home.url}/health/live", command, every_s=0.02)
    known = password or command.log.split("with the password ")[1].split()[0]
    client = EngineClient(home.url, ADMIN, known)
    if client.rows("sample", "SELECT 1 AS one") != [[1]]:
        raise RuntimeError(command.log)
    took = (time.perf_counter() - started) * 1000
    client.close()
    command.terminate()
    return took, known
