"""The guard's score on the corpora, without any database."""

import time
from contextlib import suppress
from pathlib import Path

import pytest

from insight_engine.domain.sources import Catalog, Dialect
from insight_engine.sqlguard import ReasonCode, Rejected
from security.corpora import Attack, attacks, benign, catalog, judge

ATTACKS = [attack for dialect in Dialect for attack in attacks(dialect)]
BENIGN = [(dialect, sql) for dialect in Dialect for sql in benign(dialect)]


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_an_attack_is_refused_for_the_expected_reason(attack: Attack) -> None:
    with pytest.raises(Rejected) as refused:
        judge(attack.sql, attack.dialect)
    assert attack.codes & {reason.code.value for reason in refused.value.reasons}
    assert attack.codes <= {code.value for code in ReasonCode}


@pytest.mark.parametrize("dialect", list(Dialect))
def test_an_attack_is_refused_when_the_columns_are_known(dialect: Dialect) -> None:
    known = catalog(dialect)
    assert not [attack.sql for attack in attacks(dialect) if _is_accepted(attack.sql, dialect, known)]


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize("is_known", [False, True])
def test_an_analysts_statement_is_accepted(dialect: Dialect, *, is_known: bool) -> None:
    known = catalog(dialect) if is_known else None
    assert not [sql for sql in benign(dialect) if not _is_accepted(sql, dialect, known)]


def test_the_corpora_are_as_large_as_promised_and_the_score_is_perfect() -> None:
    score = {
        dialect: (
            sum(_is_accepted(attack.sql, dialect) for attack in attacks(dialect)),
            len({attack.sql for attack in attacks(dialect)}),
            sum(not _is_accepted(sql, dialect) for sql in benign(dialect)),
            len(set(benign(dialect))),
        )
        for dialect in Dialect
    }
    for dialect, (accepted, hostile, refused, kind) in score.items():
        print(f"{dialect}: {accepted} of {hostile} hostile accepted, {refused} of {kind} benign refused")
        assert (accepted, refused) == (0, 0)
        assert hostile >= 120
    assert sum(hostile for _, hostile, _, _ in score.values()) >= 1_000
    assert sum(kind for _, _, _, kind in score.values()) >= 1_000


def test_the_guide_tells_the_size_of_the_corpora() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "sql-guard.md").read_text("utf-8")
    hostile = sum(len(attacks(dialect)) for dialect in Dialect)
    kind = sum(len(benign(dialect)) for dialect in Dialect)
    assert f"| Insight Engine | 0 of {hostile:,} | 0 of {kind:,} |" in guide


def test_a_verdict_takes_three_milliseconds_at_the_95th_percentile_and_a_tenth_of_a_second_at_most() -> None:
    statements = [(a.sql, a.dialect) for a in ATTACKS] + [(sql, dialect) for dialect, sql in BENIGN]
    judge("SELECT 1", Dialect.POSTGRES)
    best = sorted(min(_seconds(sql, dialect) for _ in range(3)) for sql, dialect in statements)
    p50, p95, worst = best[len(best) // 2], best[int(len(best) * 0.95)], best[-1]
    print(f"verdicts {len(best)}: p50 {p50 * 1e3:.2f} ms, p95 {p95 * 1e3:.2f} ms, worst {worst * 1e3:.2f} ms")
    assert p95 <= 0.003
    assert worst <= 0.1


def _is_accepted(sql: str, dialect: Dialect, known: Catalog | None = None) -> bool:
    try:
        judge(sql, dialect, known=known)
    except Rejected:
        return False
    return True


def _seconds(sql: str, dialect: Dialect) -> float:
    started = time.thread_time()
    with suppress(Rejected):
        judge(sql, dialect, known=catalog(dialect))
    return time.thread_time() - started
