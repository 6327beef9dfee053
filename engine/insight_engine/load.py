"""How much there is to do and who does it: what `/internal/load` says, from files alone.

One process of each pod reads the figures of the whole instance from the store, the same one as long as it
lives; nobody else asks for them.
"""

import asyncio
from typing import Any, Final

from insight_engine.domain.errors import Unavailable
from insight_engine.ports import LoadFigures
from insight_engine.runtime import RunFolder
from insight_engine.telemetry import get_logger

EVERY_S: Final = 1.0
STALE_AFTER_S: Final = 5.0
SILENT_AFTER_S: Final = 15.0
"""A process that has said nothing for this long runs nothing, as far as anybody can tell."""


async def keep_figures(load: LoadFigures, folder: RunFolder) -> None:
    """Read the instance's figures once a second while this process speaks for its pod; never ends."""
    while True:
        try:
            if folder.speaks_for_all():
                queued, running, oldest = await load.load()
                folder.put_figures(queued=queued, running=running, oldest_queued_s=round(oldest, 3))
        except Unavailable:
            pass  # the old figures stay, and their age says so
        except Exception:  # noqa: BLE001 - the next round may succeed
            get_logger("load").exception("Failed to read the load")
        await asyncio.sleep(EVERY_S)


def load_of(folder: RunFolder) -> dict[str, Any]:
    """What `/internal/load` answers.

    `queued`, `running` and `oldest_queued_s` are of the whole instance, null before they were first read and
    `stale` when they are old; all else is of this pod. `slots` counts the places that take work now;
    `drained` is true once nothing runs here and nothing will.
    """
    figures = folder.figures()
    known = figures or {"queued": None, "running": None, "oldest_queued_s": None}
    resting = folder.resting
    workers = [tick for tick in folder.ticks() if "busy" in tick and tick["age"] < SILENT_AFTER_S]
    return {
        "queued": known["queued"],
        "running": known["running"],
        "oldest_queued_s": known["oldest_queued_s"],
        "stale": figures is None or figures["age"] > STALE_AFTER_S,
        "slots": 0 if resting else sum(bool(tick["ready"]) for tick in workers),
        "workers": [
            {"pid": tick["pid"], "busy": tick["busy"], "since": tick["since"]}
            for tick in sorted(workers, key=lambda tick: int(tick["pid"]))
        ],
        "draining": resting,
        "drained": resting and all(tick["resting"] and not tick["busy"] for tick in workers),
    }
