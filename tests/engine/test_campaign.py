"""Queries while everything is killed: none lost, none ended twice, every row right, no request that hangs.

INSIGHT_CAMPAIGN=full runs the full sizes; a campaign that fails prints the line that repeats it.
"""

import os
from collections.abc import Iterator

import pytest

from support.campaign import Plan, Report, run
from support.campaign_faults import Stage

FULL = os.environ.get("INSIGHT_CAMPAIGN") == "full"
SEED = int(os.environ.get("INSIGHT_CAMPAIGN_SEED", "20261123"))
REDELIVERY_S = 30.0

EVERYTHING = {
    "worker child SIGKILL": 8,
    "worker SIGKILL": 2,
    "worker child SIGSTOP": 1,
    "API process SIGKILL": 2,
    "Redis SIGKILL": 1,
    "Redis FLUSHALL": 1,
    "PostgreSQL restart": 1,
    "PostgreSQL SIGKILL": 1,
    "messages dropped": 2,
    "messages doubled": 3,
}
EVERYTHING_FULL = {
    "worker child SIGKILL": 50,
    "worker SIGKILL": 10,
    "worker child SIGSTOP": 5,
    "API process SIGKILL": 10,
    "API SIGKILL": 2,
    "Redis SIGKILL": 5,
    "Redis FLUSHALL": 5,
    "PostgreSQL restart": 5,
    "PostgreSQL SIGKILL": 5,
    "messages dropped": 10,
    "messages doubled": 20,
}
KILLS = {
    "worker child SIGKILL": 3,
    "worker SIGKILL": 2,
    "API process SIGKILL": 1,
    "API SIGKILL": 1,
    "Redis SIGKILL": 1,
    "PostgreSQL SIGKILL": 1,
}


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage() as stage:
        yield stage


def judge(report: Report, test: str) -> None:
    print(f"\n{report}")
    full = "INSIGHT_CAMPAIGN=full " if FULL else ""
    again = f"{full}INSIGHT_CAMPAIGN_SEED={SEED} pytest tests/engine/test_campaign.py -s -k {test}"
    assert not report.violations, "\n".join([*report.violations[:20], f"repeat: {again}"])
    late = sorted(report.redelivered_s)
    assert not late or late[int(len(late) * 0.99)] <= REDELIVERY_S, f"{late}\nrepeat: {again}"


@pytest.mark.timeout(3600 if FULL else 600)
def test_no_query_is_lost_or_ended_twice_whatever_fails(stage: Stage) -> None:
    faults = EVERYTHING_FULL if FULL else EVERYTHING
    report = run(stage, Plan(SEED, 10_000 if FULL else 500, faults))
    assert report.accepted >= (10_000 if FULL else 500)
    judge(report, "lost_or_ended_twice")


@pytest.mark.timeout(900 if FULL else 600)
def test_kills_at_random_under_load_leave_no_query_and_no_caller_waiting(stage: Stage) -> None:
    times = 4 if FULL else 1
    kills = {kind: count * times for kind, count in KILLS.items()}
    report = run(stage, Plan(SEED, None, kills, gap_s=1.5))
    judge(report, "kills_at_random")


@pytest.mark.timeout(600)
def test_queries_still_finish_while_redis_is_gone(stage: Stage) -> None:
    gone_s = 60.0 if FULL else 15.0
    report = run(stage, Plan(SEED, None, {"Redis gone": 1}, clients=4, redis_gone_s=gone_s))
    judge(report, "redis_is_gone")
    print(f"{report.ended_without_redis} queries ended in {gone_s:g} s without Redis")
    assert report.ended_without_redis >= gone_s
