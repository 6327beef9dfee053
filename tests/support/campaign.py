"""A fault campaign: load, seeded faults at seeded moments, and the reckoning afterwards."""

import random
import shutil
import threading
import time
from collections import Counter
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

from insight_engine.services.running import LEASE_S
from support import campaign_ledger
from support.campaign_faults import Faults, Stage
from support.campaign_ledger import Entry
from support.campaign_load import Answered, Load, asks

SETTLE_S = LEASE_S + 10
"""Seconds after the last fault within which every accepted query has ended."""
KEPT = Path(__file__).resolve().parents[2] / "build" / "campaign"


@dataclass(frozen=True)
class Plan:
    """What one campaign is.

    Attributes:
        queries: how many are asked; None: as many as the clients manage while the faults strike.
        faults: how often each kind strikes, spread over the campaign in an order that the seed decides.
        gap_s: least seconds between two faults.
        redis_gone_s: how long the fault "Redis gone" lasts.
    """

    seed: int
    queries: int | None
    faults: Mapping[str, int]
    clients: int = 6
    gap_s: float = 0.3
    redis_gone_s: float = 15.0


@dataclass
class Report:
    """What came of it."""

    accepted: int
    settled_s: float
    slowest_s: float
    refused: int
    struck: Mapping[str, int]
    ends: Mapping[str, int]
    redelivered_s: list[float]
    ended_without_redis: int
    """Queries that ended while there was no Redis."""
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        late = sorted(self.redelivered_s)
        p50, p99 = (late[int(len(late) * q)] if late else 0.0 for q in (0.5, 0.99))
        struck = ", ".join(f"{count} x {kind}" for kind, count in self.struck.items())
        ends = ", ".join(f"{count} {end}" for end, count in self.ends.items())
        return (
            f"{self.accepted} queries accepted, {len(self.violations)} violations; {struck}\n"
            f"ends: {ends}; {self.refused} answers asked for again; slowest answer {self.slowest_s:.1f} s\n"
            f"redelivery after SIGKILL: {len(late)}, p50 {p50:.1f} s, p99 {p99:.1f} s, "
            f"most {late[-1] if late else 0.0:.1f} s; all ended {self.settled_s:.1f} s after the last query"
        )


def run(stage: Stage, plan: Plan) -> Report:
    """Run the campaign on that stage and reckon."""
    load = Load(stage.home.url, stage.tokens(plan.clients), asks(random.Random(plan.seed)), plan.queries)
    stage.until_whole()
    before = _states(stage)
    chance = random.Random(plan.seed + 1)
    faults = Faults(
        stage,
        chance,
        lambda: [i for answered in list(load.answers) for i in answered.ids],
        plan.redis_gone_s,
    )
    load.start()
    _strike(load, plan, faults, chance)
    while plan.queries is not None and load.alive and load.accepted < plan.queries:
        time.sleep(0.05)
    faults.finish()
    stage.until_whole()
    over = time.monotonic()
    if not load.stop(SETTLE_S):
        load.violation(f"clients still wait for ends {SETTLE_S:g} s after the last fault")
    settled = time.monotonic() - over
    report = _reckon(stage, load, settled, before.keys())
    report.struck = faults.done
    if report.violations:
        keep_logs(stage, plan.seed)
    return report


def _strike(load: Load, plan: Plan, faults: Faults, chance: random.Random) -> None:
    order = [kind for kind, count in plan.faults.items() for _ in range(count)]
    chance.shuffle(order)
    for number, kind in enumerate(order):
        if plan.queries is not None:
            due = plan.queries * (number + 0.5) / len(order)
            while load.accepted < due and load.alive:
                time.sleep(0.02)
        threading.Event().wait(plan.gap_s * chance.uniform(0.5, 1.5))
        faults.strike(kind)


def _states(stage: Stage) -> dict[str, str]:
    with stage.store() as store:
        rows = store.execute("SELECT id::text, state FROM insight.queries").fetchall()
    return {str(query_id): str(state) for query_id, state in rows}


def _reckon(stage: Stage, load: Load, settled_s: float, before: AbstractSet[str]) -> Report:
    with stage.store() as store:
        moves = campaign_ledger.read(store)
    states = _states(stage)
    violations = list(load.violations)
    for answered in load.answers:
        violations += _wrong(answered, states, moves, stage.crashes)
    known = {query_id for answered in load.answers for query_id in answered.ids}
    violations += [
        f"{query_id} is in the store but no client was told" for query_id in states.keys() - known - before
    ]
    ends = Counter(states[query_id] for query_id in known & states.keys())
    late = campaign_ledger.redeliveries(moves, stage.kills)
    without = sum(
        entry.commits and any(since <= entry.at <= to for since, to in stage.without_redis)
        for history in moves.values()
        for entry in history
    )
    return Report(len(known), settled_s, load.slowest_s, load.refused, {}, ends, late, without, violations)


def _wrong(
    answered: Answered, states: Mapping[str, str], moves: Mapping[str, list[Entry]], crashes: list[float]
) -> list[str]:
    """What is wrong with the end of one query."""
    found = []
    if len(answered.ids) > 1:
        found.append(f"{answered.key}: one key, several queries: {sorted(answered.ids)}")
    for query_id in answered.ids:
        history = moves.get(query_id, [])
        commits = sum(entry.commits for entry in history)
        state = states.get(query_id, "missing")
        name = f"{answered.key} ({answered.ask.kind}, {query_id})"
        if commits != 1:
            found.append(f"{name}: ended {commits} times, is {state}: {[e.became for e in history]}")
        elif not _right_end(answered, state, history, crashes):
            found.append(f"{name}: is {state}, its rows {answered.rows}: {[e.error_code for e in history]}")
    return found


def _right_end(answered: Answered, state: str, history: list[Entry], crashes: list[float]) -> bool:
    if state == "cancelled":
        return answered.ask.cancel
    if state == "failed":
        claims = sum(entry.became == "running" for entry in history)
        return history[-1].error_code == "worker_lost" and (claims >= 3 or history[-1].leader_id is not None)
    if answered.rows == "lost":
        return any(history[0].at <= crash <= answered.read_at for crash in crashes)
    # Who read the rows may be followed by another, who shares them and finds them lost in a later crash.
    lost_since = state == "expired" and any(crash >= history[0].at for crash in crashes)
    return answered.rows == "exact" and (state == "succeeded" or lost_since)


def keep_logs(stage: Stage, seed: int) -> None:
    """Copy the logs of a campaign that went wrong out of the folder that is about to be removed."""
    target = KEPT / f"seed-{seed}-{int(time.time())}"
    target.mkdir(parents=True, exist_ok=True)
    for log in stage.home.path.glob("*.log"):
        shutil.copy(log, target)
    print(f"logs kept in {target}")
