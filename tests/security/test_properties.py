"""Laws of the guard on generated text: a verdict and nothing else, and no disguise that helps."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from insight_engine.domain.sources import Dialect
from insight_engine.sqlguard import PreparedQuery, Rejected
from security.corpora import Attack, attacks, benign, judge, values_of

DIALECTS = st.sampled_from(list(Dialect))
ATTACKS = [attack for dialect in Dialect for attack in attacks(dialect)]
PIECES = [
    *"()[]{},.;:'\"`$?@#!~&|/*%^<>=+-\\ \n\r\t\0\u00a0\u200b",
    *["select", "from", "where", "with", "as", "recursive", "union", "all", "case", "when", "then", "else"],
    *["end", "not", "in", "exists", "lateral"],
    *(
        "::",
        "--",
        "/*",
        "*/",
        "/*!",
        "$$",
        "U&'",
        "_utf8'",
        "/*M!",
        "\\'",
        "#1",
        ":a",
        "$a",
        "@@x",
        ":=",
        "E'",
        "1",
        "1e",
        "x",
        "pg_sleep",
        "orders",
        "id",
        "null",
        "''",
    ),
]
UNQUOTED = [attack for attack in ATTACKS if '"' not in attack.sql]
# A name of two words between brackets is a table and its alias to every reader: RESET x, USE other, …
WRAPPABLE = [attack for attack in ATTACKS if len(attack.sql.split()) > 2]
MUTANTS = 3_000


def verdict(sql: str, dialect: Dialect) -> PreparedQuery | None:
    try:
        return judge(sql, dialect)
    except Rejected as rejected:
        reasons = rejected.reasons
    assert reasons
    assert all(reason.message for reason in reasons)
    return None


@given(st.text(max_size=200), DIALECTS)
@settings(max_examples=300, deadline=None)
def test_any_text_gets_a_verdict(sql: str, dialect: Dialect) -> None:
    verdict(sql, dialect)


@given(st.lists(st.sampled_from(PIECES), max_size=40), DIALECTS, st.sampled_from(["", " "]))
@settings(max_examples=1_000, deadline=None)
def test_any_pile_of_tokens_gets_a_verdict(pieces: list[str], dialect: Dialect, glue: str) -> None:
    verdict(glue.join(["select ", *pieces]), dialect)


@given(st.sampled_from(ATTACKS), st.sampled_from([" ", "\n", "\t", " /* x */ ", " -- x\n"]))
@settings(max_examples=500, deadline=None)
def test_other_blanks_and_comments_do_not_disguise_an_attack(attack: Attack, blank: str) -> None:
    disguised = attack.sql if "'" in attack.sql or '"' in attack.sql else attack.sql.replace(" ", blank)
    assert verdict(blank + disguised + blank, attack.dialect) is None


@given(st.sampled_from(UNQUOTED), st.sampled_from([str.upper, str.lower, str.swapcase, str.title]))
@settings(max_examples=500, deadline=None)
def test_other_letter_case_does_not_disguise_an_attack(attack: Attack, change: Callable[[str], str]) -> None:
    assert verdict(change(attack.sql), attack.dialect) is None


@pytest.mark.parametrize(
    "wrapping",
    [
        "SELECT * FROM ({}) AS x",
        "WITH x AS ({}) SELECT * FROM x",
        "({})",
        "SELECT ({})",
        "SELECT 1 UNION ALL {}",
    ],
)
def test_wrapping_does_not_disguise_an_attack(wrapping: str) -> None:
    passed = [a for a in WRAPPABLE if verdict(wrapping.format(a.sql), a.dialect) is not None]
    assert not passed


def test_what_is_sealed_is_a_beginning_of_what_was_sent_and_judged_the_same_again() -> None:
    for dialect in Dialect:
        for sql in (sql for sql in benign(dialect) if values_of(sql) is None):
            sealed = verdict(sql + " ; -- the end", dialect)
            assert sealed is not None
            assert sql.startswith(sealed.sql)
            again = verdict(sealed.sql, dialect)
            assert again is not None
            assert (again.sql, again.tables) == (sealed.sql, sealed.tables)


def test_mutants_of_accepted_statements_never_smuggle_a_forbidden_word_in() -> None:
    chance = random.Random(20261122)
    poison = (
        "pg_sleep(1)",
        "pg_read_file('x')",
        "load_extension('x')",
        "read_text('x')",
        "getenv('x')",
        "load_file('x')",
        "sleep(1)",
        "U&''",
    )
    for _ in range(MUTANTS):
        dialect = chance.choice(list(Dialect))
        words = chance.choice(benign(dialect)).split(" ")
        words.insert(chance.randrange(len(words) + 1), chance.choice(poison))
        sealed = verdict(" ".join(words), dialect)
        assert sealed is None or _is_quoted(sealed.sql, poison)


def _is_quoted(sql: str, poison: tuple[str, ...]) -> bool:
    """Whether the poison landed inside a literal, a quoted name or a comment, where it is only text."""
    from insight_engine.sqlguard.lexer import Kind, read
    from insight_engine.sqlguard.policies import POLICIES

    names = {p.split("(")[0].lower() for p in poison}
    return any(
        all(t.kind is not Kind.WORD or t.text not in names for t in read(sql, POLICIES[dialect]))
        for dialect in Dialect
        if verdict(sql, dialect) is not None
    )
