"""Near misses: what the guard lets pass must be a plain query to PostgreSQL's own parser too.

`INSIGHT_CAMPAIGN=full` (`make chaos`) runs a million; every other run takes a slice of the same stream.
"""

import os
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from insight_engine.domain.sources import Dialect
from insight_engine.sqlguard import Rejected
from security.corpora import attacks, benign, judge
from support.sqlfuzz import Fuzzer
from support.sqloracle import disagreements, read_tables, statements

FULL_SIZE = os.environ.get("INSIGHT_CAMPAIGN") == "full"
SEED = os.environ.get("INSIGHT_FUZZ_SEED", "2026")
MUTANTS = 1_000_000 if FULL_SIZE else 12_000
BATCH = 10_000 if FULL_SIZE else 6_000
SLOWEST_S = 0.1
"""Processor time that no verdict may take."""


@dataclass
class Tally:
    """What became of the texts."""

    counts: Counter[str] = field(default_factory=Counter)
    unsafe: list[str] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.counts += other.counts
        self.unsafe += other.unsafe
        self.slow += other.slow


@pytest.mark.timeout(1800 if FULL_SIZE else 300)
def test_nothing_passes_that_the_real_parser_reads_otherwise() -> None:
    batches = MUTANTS // BATCH
    tally = Tally()
    if FULL_SIZE:
        with ProcessPoolExecutor() as processes:
            for one in processes.map(batch, range(batches)):
                tally.add(one)
    else:
        for number in range(batches):
            tally.add(batch(number))
    print(f"mutants of seed {SEED}: {dict(sorted(tally.counts.items()))}")
    assert tally.counts["texts"] == MUTANTS
    assert tally.counts["allowed"] > MUTANTS // 50, "the fuzzer hardly makes anything that passes"
    assert not tally.unsafe, "\n".join(tally.unsafe[:20])
    assert not tally.slow, "\n".join(tally.slow[:5])


def batch(number: int) -> Tally:
    """Judge one batch; the same number gives the same texts."""
    corpus = [a.sql for a in attacks(Dialect.POSTGRES)] + [*benign(Dialect.POSTGRES)] * 2
    tally = Tally()
    for text in Fuzzer(corpus, f"{SEED}/{number}").texts(BATCH):
        tally.counts["texts"] += 1
        _one(text, tally)
    return tally


def _one(text: str, tally: Tally) -> None:
    started = time.thread_time()
    try:
        prepared = judge(text, Dialect.POSTGRES)
    except Rejected:
        prepared = None
    except Exception as error:  # noqa: BLE001 - any but a verdict is a finding
        prepared = None
        tally.unsafe.append(f"{text!r}: no verdict but {error!r}")
    if time.thread_time() - started > SLOWEST_S and min(_seconds(text) for _ in range(3)) > SLOWEST_S:
        tally.slow.append(text)
    if prepared is None:
        return
    tally.counts["allowed"] += 1
    trees = statements(prepared.sql)
    if trees is None:
        tally.counts["allowed, not SQL to PostgreSQL"] += 1
        return
    tally.unsafe += [f"{text!r}: {what}" for what in disagreements(trees, prepared.tables)]
    if trees and set(prepared.tables) - read_tables(trees[0]):
        tally.counts["more tables reported than read"] += 1


def _seconds(text: str) -> float:
    started = time.thread_time()
    with suppress(Rejected):
        judge(text, Dialect.POSTGRES)
    return time.thread_time() - started


@pytest.mark.parametrize(
    ("sql", "tables", "expected"),
    [
        ("SELECT 1; SELECT 2", (), "not one query"),
        ("DELETE FROM orders", (), "not one query"),
        ("SELECT id INTO loot FROM orders", ("public.orders", "public.loot"), "intoClause"),
        ("SELECT id FROM orders FOR UPDATE", ("public.orders",), "lockingClause"),
        ("WITH x AS (DELETE FROM orders RETURNING 1) SELECT 1", ("public.orders",), "DeleteStmt in WITH"),
        ("SELECT (SELECT pg_sleep(1))", (), "the function pg_sleep"),
        ("SELECT pg_catalog.lower('x')", (), "the function pg_catalog.lower"),
        ("SELECT current_user", (), "SVFOP_CURRENT_USER"),
        ("SELECT 'x'::regclass", (), "the type regclass"),
        ("SELECT 1 OPERATOR(pg_catalog.+) 2", (), "the operator pg_catalog.+"),
        ("SELECT xmlelement(name a)", (), "a XmlExpr"),
        ("SELECT o.query_to_xml FROM orders o", ("public.orders",), "or function o.query_to_xml"),
        ("WITH c AS (SELECT 1) SELECT * FROM c, private.c", (), "['private.c']"),
        ("SELECT * FROM (WITH c AS (SELECT 1) SELECT 1) x, c", (), "['public.c']"),
        ("SELECT id FROM orders TABLESAMPLE evil (1)", ("public.orders",), "the sampling evil"),
    ],
)
def test_the_oracle_sees_what_must_not_pass(sql: str, tables: tuple[str, ...], expected: str) -> None:
    trees = statements(sql)
    assert trees is not None
    assert any(expected in what for what in disagreements(trees, tables))


@pytest.mark.parametrize("sql", benign(Dialect.POSTGRES))
def test_both_readers_see_the_same_tables(sql: str) -> None:
    prepared = judge(sql, Dialect.POSTGRES)
    trees = statements(prepared.sql)
    assert trees is not None
    assert not [*disagreements(trees, prepared.tables)]
    assert read_tables(trees[0]) == set(prepared.tables)
