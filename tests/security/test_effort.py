"""How long a verdict takes in the worst case: statements of every shape that grow until they are refused.

Shapes whose cost doubles with each level, or grows with the square of the length, would show here.
"""

import time
from collections.abc import Callable, Iterator

import pytest

from insight_engine.domain.sources import Dialect
from insight_engine.sqlguard import ReasonCode, Rejected
from insight_engine.sqlguard.text import MAX_BYTES
from security.corpora import catalog, judge

SIZES = (4, 12, 16, 20, 24, 48, 200, 1_000, 1_900, 60_000)
WORST_S, NOISE = 0.1, 2.5
"""The limit is for an idle machine; a busy one, as tests find it, measures up to NOISE times as much."""


def around(before: str, after: str, core: str = "1") -> Callable[[int], str]:
    """`before` and `after`, n times each, around a core: what nests."""
    return lambda n: "SELECT " + before * n + core + after * n


def chain(part: str, start: str = "SELECT id", end: str = " FROM orders") -> Callable[[int], str]:
    """A part n times in a row: what goes on and on."""
    return lambda n: start + part * n + end


def listed(part: str, start: str = "SELECT ", end: str = " FROM orders") -> Callable[[int], str]:
    """A part n + 1 times with commas between."""
    return lambda n: start + ", ".join([part] * (n + 1)) + end


NESTED = [
    ("(", ")"), ("abs(", ")"), ("ARRAY[", "]"), ("[", "]"), ("ARRAY[(", ")]"),
    ("CASE WHEN true THEN ", " END"),
    ("(CASE WHEN (id) THEN ", " END)"), ("(SELECT ", ")"), ("EXISTS (SELECT ", ")"), ("ARRAY(SELECT ", ")"),
    ("1 IN (SELECT ", ")"), ("(1, ", ")"), ("-(", ")"), ("NOT ", ""), ("- ", ""), ("CAST(", " AS int)"),
    ("EXTRACT(year FROM ", ")"), ("POSITION('a' IN ", ")"), ("SUBSTRING(", " FROM 1)"), ("ROW(", ")"),
    ("TRIM(BOTH 'x' FROM ", ")"), ("count(*) FILTER (WHERE ", ")"), ("sum(id) OVER (ORDER BY ", ")"),
    ("{'a': ", "}"), ("map {'a': ", "}"), ("list_transform([1], lambda x : ", ")"), ("[x FOR x IN ", "]"),
    ("INTERVAL (", ") DAY"), ("CONVERT(", ", CHAR)"), ("json_object('a', ", ")"), ("json_object('a': ", ")"),
    ("group_concat(", " SEPARATOR ',')"), ("string_agg('a', ',' ORDER BY ", ")"), ("count(DISTINCT ", ")"),
    ("date(", ")"), ("date(id, ", ")"), ("binary(", ")"), ("binary(id, ", ")"), ("struct(id, ", ")"),
    ("object(id, ", ")"), ("union(id, ", ")"), ("lateral(id, ", ")"), ("int[", "]"), ("null[", "]"),
    ("timestamp[", "]"), ("char(", ")"), ("json(", ")"), ("time(", ")"), ("if(id, ", ", 2)"), ("id[", "]"),
    ("coalesce(id, ", ")"), ("1 = ANY(", ")"), ("id NOT IN (", ")"), ("id BETWEEN (", ") AND 2"),
    ("id LIKE (", ")"), ("left(", ", 1)"), ("overlay('a' placing ", " from 1)"), ("normalize(", ")"),
    ("a.b(", ")"), ("CASE id WHEN 1 THEN 1 ELSE ", " END"), ("CAST(1 AS struct(a ", "))"),
]  # fmt: skip
CHAINED = [
    " + 1", " AND id", " OR id = 1", " || 'a'", " -> 'a'", " IS NULL", "::int", " COLLATE x",
    " AT TIME ZONE 'x'",
    " BETWEEN 1 AND 2 AND id", "[1]", "[1:2]", ".b[1]", ".f(1)", ".b", " LIKE 'a%' OR id", " IN (1) AND id",
    " = ANY(ARRAY[1]) OR id", " + interval '1 day'", " IS DISTINCT FROM 1", " <", "<", " NOT", " + -1",
]  # fmt: skip
JOINED = [
    "JOIN orders ", "LEFT JOIN orders ", "CROSS JOIN orders ", "NATURAL JOIN orders ",
    "NATURAL LEFT JOIN orders ", "POSITIONAL JOIN orders ", "JOIN orders ON true ",
    "JOIN orders USING (id) ", ", orders ",
    "JOIN (SELECT DISTINCT ON (1) 1) x ", "JOIN orders JOIN (SELECT 1 FROM orders JOIN orders ON true) x ",
    ", LATERAL (SELECT 1) x ", "ASOF JOIN orders ",
]  # fmt: skip
SHAPES: dict[str, Callable[[int], str]] = {
    **{f"nested {before}": around(before, after) for before, after in NESTED},
    **{f"chain {part}": chain(part) for part in CHAINED},
    **{f"joined {part}": chain(part, "SELECT 1 FROM orders ", "") for part in JOINED},
    **{
        f"list of {part}": listed(part)
        for part in (
            "id",
            "id AS x",
            "coalesce(id, total)",
            "'a'",
            "sum(id) OVER (ORDER BY id)",
            "(SELECT 1)",
        )
    },
    "a type around much": lambda n: "SELECT " + "date(" * min(n, 8) + "1 + " * n + "1" + ")" * min(n, 8),
    "waiting joins around much": lambda n: (
        "SELECT 1 FROM a JOIN b JOIN c JOIN (SELECT " + "1 + " * n + "1) x"
    ),
    "literal": lambda n: "SELECT '" + "''" * n + "'",
    "quoted name": lambda n: 'SELECT "' + '""' * n + '"',
    "comment": lambda n: "SELECT 1 /*" + "*" * n + "/",
    "open comment": lambda n: "SELECT 1 /*" + "*" * n,
    "comment lines": lambda n: "SELECT 1 " + "-- x\n" * n,
    "unions": chain("UNION SELECT 1 ", "SELECT 1 ", ""),
    "semicolons": chain(";", "SELECT 1", ""),
    "list in IN": lambda n: "SELECT 1 FROM orders WHERE id IN (" + "1, " * n + "1)",
    "rows of VALUES": lambda n: "SELECT * FROM (VALUES " + ", ".join(["(1, 'a')"] * (n + 1)) + ") v",
    "WITH queries": lambda n: "WITH " + ", ".join(f"c{i} AS (SELECT 1)" for i in range(n + 1)) + " SELECT 1",
    "stars in stars": lambda n: "SELECT * FROM " + "(SELECT *, * FROM " * n + "orders" + ") x" * n,
    "brackets in FROM": lambda n: "SELECT 1 FROM " + "(orders JOIN " * n + "orders" + " ON true)" * n,
    "grouping sets": lambda n: "SELECT 1 FROM orders GROUP BY GROUPING SETS " + "(" * n + "id" + ")" * n,
    "queries in brackets": lambda n: "(" * n + "SELECT 1" + " UNION SELECT 1)" * n,
    "correlated": listed("(SELECT 1 FROM orders o WHERE o.id = orders.id)"),
}


@pytest.mark.parametrize("dialect", list(Dialect))
def test_no_shape_of_text_takes_long(dialect: Dialect) -> None:
    took = {name: max(_times(grow, dialect)) for name, grow in SHAPES.items()}
    worst = max(took, key=lambda name: took[name])
    print(f"{dialect}: worst of {len(took)} shapes: {worst!r}, {took[worst] * 1e3:.0f} ms")
    assert took[worst] <= WORST_S * NOISE


def _times(grow: Callable[[int], str], dialect: Dialect) -> Iterator[float]:
    """Seconds for each size up to the first that is too complex, and for the largest that is not too long.

    What is too complex is refused before the parser starts: between those two nothing takes longer.
    """
    sizes = [size for size in SIZES if len(grow(size)) <= MAX_BYTES]
    refused = False
    for size in sizes:
        if refused and size != sizes[-1]:
            continue
        text = grow(size)
        seconds, refused = _judged(text, dialect)
        if seconds > WORST_S:
            seconds = min(seconds, _seconds(text, dialect), _seconds(text, dialect))
        yield seconds
        if seconds > WORST_S * NOISE:
            return


def _judged(text: str, dialect: Dialect) -> tuple[float, bool]:
    """Seconds that a verdict took, and whether the text was refused as too complex before the parser."""
    started, refused = time.thread_time(), False
    try:
        judge(text, dialect, known=catalog(dialect))
    except Rejected as rejected:
        first = rejected.reasons[0]
        # Calls that could fill the memory have the same code, but are found after the parser.
        refused = first.code is ReasonCode.TOO_COMPLEX and first.message.endswith("split it.")
    return time.thread_time() - started, refused


def _seconds(text: str, dialect: Dialect) -> float:
    return _judged(text, dialect)[0]


@pytest.mark.parametrize("dialect", list(Dialect))
@pytest.mark.parametrize(
    "name", ["chain  + 1", "list of id", "list in IN", "comment lines", "literal", "open comment"]
)
def test_twice_the_text_takes_about_twice_the_time(name: str, dialect: Dialect) -> None:
    grow, size = SHAPES[name], 30_000 if name in {"literal", "open comment"} else 800
    half, full = (min(_seconds(grow(n), dialect) for _ in range(3)) for n in (size // 2, size))
    assert full <= 3.2 * half + 0.002
