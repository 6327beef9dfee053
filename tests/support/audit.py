"""Reads an API server's audit log: who asked for what."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

_WRITES = {"create", "update", "patch", "delete", "deletecollection"}


@dataclass(frozen=True)
class Request:
    """One finished request, when the API server received it, in seconds of its clock, and its HTTP status.

    A dry run is no write: nothing is stored.
    """

    user: str
    verb: str
    resource: str
    name: str
    at: float
    dry_run: bool = False
    code: int = 0

    @property
    def is_write(self) -> bool:
        return self.verb in _WRITES and not self.dry_run


def position(log: Path) -> int:
    """Return where the log ends now, to read on from later."""
    return log.stat().st_size


def requests(log: Path, user: str | None = None, since: int = 0) -> list[Request]:
    """Return the requests, of one user or of all, that were finished after that position."""
    with log.open("rb") as stream:
        stream.seek(since)
        lines = stream.read().decode().splitlines()
    found = []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # the server is still writing the last line
        if event["stage"] == "ResponseComplete" and user in {None, event["user"]["username"]}:
            target = event.get("objectRef", {})
            at = datetime.fromisoformat(event["requestReceivedTimestamp"]).timestamp()
            who = event["user"]["username"]
            dry_run = "dryRun=All" in event["requestURI"]
            names = target.get("resource", ""), target.get("name", "")
            code = event.get("responseStatus", {}).get("code", 0)
            found.append(Request(who, event["verb"], *names, at, dry_run, code))
    return found
