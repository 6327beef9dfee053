"""A ledger inside the store: a trigger notes every move of every query, in the transaction that makes it.

What a log file or the API says may be wrong in the very faults that are tested; this cannot be.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import psycopg

FINAL = frozenset({"succeeded", "failed", "cancelled", "timed_out", "rejected"})
_MOVED = " OR ".join(
    f"OLD.{column} IS DISTINCT FROM NEW.{column}"
    for column in ("state", "fence", "finished_at", "chunk_count")
)
_INSTALL = f"""
CREATE SCHEMA campaign;
CREATE TABLE campaign.ledger (
    seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp(),
    query_id uuid NOT NULL, was text, became text NOT NULL, fence bigint NOT NULL, worker text,
    leader_id uuid, error_code text);
CREATE FUNCTION campaign.note_new() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    INSERT INTO campaign.ledger (query_id, became, fence, leader_id)
    VALUES (NEW.id, NEW.state, NEW.fence, (to_jsonb(NEW) ->> 'leader_id')::uuid); RETURN NULL; END $$;
CREATE FUNCTION campaign.note_move() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    INSERT INTO campaign.ledger (query_id, was, became, fence, worker, leader_id, error_code)
    VALUES (NEW.id, OLD.state, NEW.state, NEW.fence, COALESCE(NEW.worker, OLD.worker),
            (to_jsonb(NEW) ->> 'leader_id')::uuid, NEW.error_code); RETURN NULL; END $$;
CREATE TRIGGER campaign_new AFTER INSERT ON insight.queries FOR EACH ROW EXECUTE FUNCTION campaign.note_new();
CREATE TRIGGER campaign_move AFTER UPDATE ON insight.queries FOR EACH ROW WHEN ({_MOVED})
    EXECUTE FUNCTION campaign.note_move();
"""


@dataclass(frozen=True)
class Entry:
    """One move; `at` is the database's clock in seconds since the epoch."""

    at: float
    query_id: str
    was: str | None
    became: str
    fence: int
    worker: str | None
    leader_id: str | None
    error_code: str | None

    @property
    def commits(self) -> bool:
        """Whether this ended the query; that its result expires later is no second end."""
        return self.became in FINAL

    def by(self, pid: int) -> bool:
        """Whether the process of that id made it."""
        return self.worker is not None and str(pid) in re.findall(r"\d+", self.worker)


def install(connection: "psycopg.Connection[Any]") -> None:
    """Note every move from now on."""
    connection.execute(_INSTALL.encode())


def read(connection: "psycopg.Connection[Any]") -> dict[str, list[Entry]]:
    """Every move so far, in order, by query."""
    moves: dict[str, list[Entry]] = {}
    rows = connection.execute(
        "SELECT at, query_id, was, became, fence, worker, leader_id, error_code"
        " FROM campaign.ledger ORDER BY seq"
    )
    for at, query_id, was, became, fence, worker, leader, code in rows.fetchall():
        moment: datetime = at
        entry = Entry(
            moment.timestamp(),
            str(query_id),
            was,
            became,
            fence,
            worker,
            str(leader) if leader else None,
            code,
        )
        moves.setdefault(entry.query_id, []).append(entry)
    return moves


def redeliveries(moves: dict[str, list[Entry]], kills: list[tuple[float, int]]) -> list[float]:
    """Seconds from a SIGKILL to the next attempt at (or the end of) each query it interrupted."""
    found = []
    for history in moves.values():
        for claim, following in pairwise(history):
            if claim.became != "running":
                continue
            for at, pid in kills:
                if claim.by(pid) and claim.at <= at < following.at:
                    later = (entry for entry in history if entry.at > at)
                    again = next((e for e in later if e.became == "running" or e.commits), None)
                    if again is not None:
                        found.append(again.at - at)
    return found
