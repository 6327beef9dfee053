"""The guard's score on the corpora, without any database."""

import time
from contextlib import suppress

import pytest

from insight_engine.domain.sources import Dialect
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


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_an_attack_is_refused_when_the_columns_are_known(attack: Attack) -> None:
    with pytest.raises(Rejected):
        judge(attack.sql, attack.dialect, known=catalog(attack.dialect))


@pytest.mark.parametrize(("dialect", "sql"), BENIGN)
def test_an_analysts_statement_is_accepted(dialect: Dialect, sql: str) -> None:
    assert judge(sql, dialect).sql.strip()


@pytest.mark.parametrize(("dialect", "sql"), BENIGN)
def test_an_analysts_statement_is_accepted_when_the_columns_are_known(dialect: Dialect, sql: str) -> None:
    assert judge(sql, dialect, known=catalog(dialect)).sql.strip()


def test_the_corpora_are_as_large_as_promised() -> None:
    assert len({(a.dialect, a.sql) for a in ATTACKS}) >= 400
    assert len({sql for _, sql in BENIGN}) >= 190


def test_a_verdict_takes_at_most_three_milliseconds_at_the_95th_percentile() -> None:
    statements = [(attack.sql, attack.dialect) for attack in ATTACKS] + [(sql, d) for d, sql in BENIGN]
    judge("SELECT 1", Dialect.POSTGRES)
    best = sorted(min(_seconds(sql, dialect) for _ in range(3)) for sql, dialect in statements)
    p50, p95, worst = best[len(best) // 2], best[int(len(best) * 0.95)], best[-1]
    print(f"verdicts {len(best)}: p50 {p50 * 1e3:.2f} ms, p95 {p95 * 1e3:.2f} ms, worst {worst * 1e3:.2f} ms")
    assert p95 <= 0.003


def _seconds(sql: str, dialect: Dialect) -> float:
    started = time.thread_time()
    with suppress(Rejected):
        judge(sql, dialect, known=catalog(dialect))
    return time.thread_time() - started
