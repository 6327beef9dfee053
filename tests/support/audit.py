"""Reads an API server's audit log: who asked for what."""

import json
from dataclasses import dataclass
from pathlib import Path

_WRITES = {"create", "update", "patch", "delete", "deletecollection"}


@dataclass(frozen=True)
class Request:
    """One finished request."""

    user: str
    verb: str
    resource: str
    name: str

    @property
    def is_write(self) -> bool:
        return self.verb in _WRITES


def position(log: Path) -> int:
    """Return where the log ends now, to read on from later."""
    return log.stat().st_size


def requests(log: Path, user: str, since: int = 0) -> list[Request]:
    """Return the user's requests that were finished after that position."""
    with log.open("rb") as stream:
        stream.seek(since)
        lines = stream.read().decode().splitlines()
    found = []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # the server is still writing the last line
        if event["stage"] == "ResponseComplete" and event["user"]["username"] == user:
            target = event.get("objectRef", {})
            found.append(Request(user, event["verb"], target.get("resource", ""), target.get("name", "")))
    return found
