"""Makes SQL texts that are nearly right: mutants of real statements, and parts grown from a small grammar.

Everything follows from the seed, so a finding is repeated by its seed and number.
"""

# ruff: noqa: E501, ISC004, RUF001 - lists of SQL fragments and look-alike letters

import random
import re
from collections.abc import Callable, Iterator, Sequence

_TOKEN = re.compile(
    r"""\s+|'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|\w+|::|<=|>=|<>|->>|->|\|\||.""", re.DOTALL
)
_DISGUISES = (
    "/**/", "/* x */", "\n", "\t", "--\n", "--x\r\n", " \r", "\x0b", "\x0c", "\u00a0", "\u200b", "\ufeff", "\0",
    "/*!", "/*+", "*/", "/*", "--", "'", '"', "''", '""', "\\", "$$", "$a$", "E'", "e'\\''", "U&'", 'U&"', "N'",
    "B'1'", "X'4", ";", "; ", "(", ")", "[", "]", "{", "}", ",", ".", "..", ":", "::", ":=", "=>", "$1", "?", "@",
    "#", "%", "é", "ı", "ſ", "Ａ", "１", "\u0345", "1e", "0x1F", "1_000", "1.e5", ".5", "0b1",
)  # fmt: skip
_TRICKS = (
    "FOR UPDATE", "FOR SHARE NOWAIT", "FOR NO KEY UPDATE SKIP LOCKED", "INTO loot", "INTO TEMP loot",
    "INTO UNLOGGED TABLE loot", "; DROP TABLE orders", "; SELECT 1", "RETURNING *", "TABLE orders", "FETCH FIRST 1 ROW",
    "WITH x AS (DELETE FROM orders RETURNING id)", "WITH x AS (UPDATE orders SET id = 1 RETURNING id)",
    "WITH x AS (INSERT INTO orders VALUES (1) RETURNING id)", "WITH x AS (MERGE INTO orders o USING customers c ON true"
    " WHEN MATCHED THEN DELETE RETURNING o.id)", "pg_sleep(9)", "pg_read_file('x')", '"pg_sleep"(9)', "lo_import('x')",
    "pg_catalog.pg_sleep(9)", "set_config('a', 'b', false)", "nextval('s')", "query_to_xml('x', true, true, '')",
    "xmlparse(document 'x')", "xmltable('/a' passing x columns b text)", "current_user", "session_user", "user",
    "current_role", "current_catalog", "current_schema", "'orders'::regclass", "regclass 'orders'", "CAST(1 AS oid)",
    "OPERATOR(pg_catalog.+)", "OPERATOR(public.@@@)", 'COLLATE pg_catalog."C"', "o.pg_typeof", "(o).query_to_xml",
    "(SELECT o FROM orders o).table_to_xml", "pg_catalog.pg_authid", "pg_shadow", "information_schema.tables",
    "private.salaries", '"pg_catalog"."pg_user"', "ONLY (orders)", "orders*", "ROWS FROM (pg_ls_dir('.'))",
    "LATERAL pg_ls_dir('.')", "JSON_TABLE('[]', '$' COLUMNS (a int))", "MERGE INTO orders", "COPY orders TO '/tmp/x'",
    "EXPLAIN ANALYZE", "DECLARE c CURSOR FOR", "PREPARE p AS", "EXECUTE p", "LOCK orders", "DO $$x$$", "CALL p()",
    "SET ROLE x", "VARIADIC", "GRAPH_TABLE (g MATCH (a) COLUMNS (a.x))", "AS MATERIALIZED", "CYCLE id SET is_cycle USING p",
    "SEARCH DEPTH FIRST BY id SET o", "USING", "WINDOW w AS ()", "GROUP BY DISTINCT", "LIMIT ALL", "OFFSET 1 ROWS",
    "TABLESAMPLE pg_sleep(9)", "AT LOCAL", "IS JSON", "UESCAPE '!'", "WITH TIES", "WHERE CURRENT OF c", "collation for (id)",
)  # fmt: skip
_NAMES = (
    "orders",
    "customers",
    "o",
    "c",
    "id",
    "total",
    "status",
    "name",
    '"Full Name"',
    "x",
    "t",
    "payload",
)
_CALLS = (
    "count", "sum", "lower", "coalesce", "round", "date_trunc", "string_agg", "jsonb_agg", "unnest", "generate_series",
    "extract", "array_agg", "repeat", "format", "pg_sleep", "pg_typeof", "to_regclass", "lo_get", "dblink", "row_to_json",
    "current_setting", "version", "has_table_privilege", "pg_stat_file", "ts_stat", "xpath", "setval", "txid_current",
)  # fmt: skip


class Fuzzer:
    """A stream of texts made from `statements` by `seed`."""

    def __init__(self, statements: Sequence[str], seed: str) -> None:
        self._random = random.Random(seed)
        self._statements = [_TOKEN.findall(statement) for statement in statements]
        self._words = sorted({token for tokens in self._statements for token in tokens if token.strip()})
        self._changes: tuple[Callable[[list[str]], list[str]], ...] = (
            self._drop, self._double, self._swap, self._foreign_word, self._disguise, self._character, self._trick,
            self._splice, self._group, self._grown, self._recase, self._reblank, self._wrap,
        )  # fmt: skip

    def texts(self, count: int) -> Iterator[str]:
        """Yield `count` texts: mutants mostly, one in eight grown whole."""
        for _ in range(count):
            if self._random.random() < 0.125:
                yield self._query(4)
                continue
            tokens = list(self._random.choice(self._statements))
            for _ in range(self._random.choice((1, 1, 1, 2, 2, 3, 5))):
                tokens = self._random.choice(self._changes)(tokens) or ["SELECT"]
            yield "".join(tokens)

    def _place(self, tokens: list[str]) -> int:
        return self._random.randrange(len(tokens))

    def _drop(self, tokens: list[str]) -> list[str]:
        start = self._place(tokens)
        return tokens[:start] + tokens[start + self._random.choice((1, 1, 2, 4)) :]

    def _double(self, tokens: list[str]) -> list[str]:
        start = self._place(tokens)
        return tokens[: start + 3] + tokens[start:]

    def _swap(self, tokens: list[str]) -> list[str]:
        one, other = self._place(tokens), self._place(tokens)
        tokens[one], tokens[other] = tokens[other], tokens[one]
        return tokens

    def _foreign_word(self, tokens: list[str]) -> list[str]:
        start = self._place(tokens)
        return [
            *tokens[:start],
            self._random.choice(self._words),
            *tokens[start + self._random.randrange(2) :],
        ]

    def _disguise(self, tokens: list[str]) -> list[str]:
        start = self._place(tokens)
        return [*tokens[:start], self._random.choice(_DISGUISES), *tokens[start:]]

    def _character(self, tokens: list[str]) -> list[str]:
        text = "".join(tokens)
        start = self._random.randrange(len(text) + 1)
        return [text[:start] + self._random.choice(("", *_DISGUISES)) + text[start + 1 :]]

    def _trick(self, tokens: list[str]) -> list[str]:
        start = len(tokens) if self._random.random() < 0.3 else self._place(tokens)
        return [
            *tokens[:start],
            " ",
            self._random.choice(_TRICKS),
            " ",
            *tokens[start + self._random.randrange(2) :],
        ]

    def _splice(self, tokens: list[str]) -> list[str]:
        other = self._random.choice(self._statements)
        return tokens[: self._place(tokens)] + other[self._place(other) :]

    def _group(self, tokens: list[str]) -> list[str]:
        """Put a bracketed part of another statement in the place of one of this."""
        mine, theirs = self._bracket(tokens), self._bracket(other := self._random.choice(self._statements))
        if mine is None or theirs is None:
            return tokens
        return tokens[: mine[0]] + other[slice(*theirs)] + tokens[mine[1] :]

    def _bracket(self, tokens: list[str]) -> tuple[int, int] | None:
        opened = [i for i, token in enumerate(tokens) if token == "("]
        if not opened:
            return None
        start, depth = self._random.choice(opened), 0
        for end in range(start, len(tokens)):
            depth += (tokens[end] == "(") - (tokens[end] == ")")
            if depth == 0:
                return start, end + 1
        return None

    def _grown(self, tokens: list[str]) -> list[str]:
        start = self._place(tokens)
        grown = self._random.choice((self._expression, self._table, self._query))(2)
        return [*tokens[:start], " ", grown, " ", *tokens[start + 1 :]]

    def _recase(self, tokens: list[str]) -> list[str]:
        return [self._random.choice((token, token.upper(), token.swapcase())) for token in tokens]

    def _reblank(self, tokens: list[str]) -> list[str]:
        blanks = ("", " ", "\n", "/**/", "\t")
        return [self._random.choice(blanks) if token.isspace() else token for token in tokens]

    def _wrap(self, tokens: list[str]) -> list[str]:
        text = "".join(tokens)
        shapes = (
            "SELECT * FROM ({}) x", "WITH x AS ({}) SELECT * FROM x", "({})", "SELECT ARRAY({})", "({}) UNION ALL SELECT 1",
            "SELECT 1 WHERE EXISTS ({})", "WITH RECURSIVE x AS (SELECT 1 UNION {}) SELECT * FROM x", "SELECT ({})",
            "SELECT 1 FROM orders o, LATERAL ({}) y", "VALUES (({}))", "WITH orders AS ({}) SELECT * FROM orders",
        )  # fmt: skip
        return [self._random.choice(shapes).format(text.replace("{", "{{").replace("}", "}}"))]

    def _query(self, depth: int) -> str:
        choose, maybe = self._random.choice, self._maybe
        if depth > 1 and self._random.random() < 0.2:
            return f"{self._query(depth - 1)} {choose(('UNION', 'EXCEPT', 'INTERSECT ALL'))} {self._query(depth - 1)}"
        grouping = choose(("", "ROLLUP", "CUBE", "GROUPING SETS"))
        parts = (
            maybe(0.2 if depth > 0 else 0, lambda: self._with(depth - 1)),
            f"SELECT {choose(('', '', 'DISTINCT ', 'ALL '))}{self._expression(depth)}",
            maybe(0.3, lambda: f"{choose(('AS ', ''))}{choose(_NAMES)}"),
            maybe(0.05, lambda: choose(_TRICKS)),
            maybe(0.8, lambda: f"FROM {self._table(depth)}"),
            maybe(0.4, lambda: f"WHERE {self._expression(depth)}"),
            maybe(0.2, lambda: f"GROUP BY {grouping} ({choose(_NAMES)})"),
            maybe(
                0.2, lambda: f"ORDER BY {self._expression(1)} {choose(('', 'DESC', 'USING <', 'NULLS LAST'))}"
            ),
            maybe(0.1, lambda: choose(_TRICKS)),
        )
        return " ".join(part for part in parts if part)

    def _maybe(self, chance: float, make: Callable[[], str]) -> str:
        return make() if self._random.random() < chance else ""

    def _with(self, depth: int) -> str:
        choose = self._random.choice
        return f"WITH {choose(('', 'RECURSIVE '))}{choose(_NAMES)} AS ({self._query(depth)})"

    def _table(self, depth: int) -> str:
        choose, r = self._random.choice, self._random.random()
        if depth < 1 or r < 0.4:
            return f"{choose(('', 'public.', 'ONLY ', 'private.', 'pg_catalog.'))}{choose(_NAMES)} {choose(_NAMES)}"
        if r < 0.6:
            return (
                f"{self._table(depth - 1)} {choose(('JOIN', 'LEFT JOIN', 'CROSS JOIN', 'NATURAL JOIN', ','))} "
                + (self._table(depth - 1) + choose((" ON true", " USING (id)", "")))
            )
        if r < 0.8:
            return f"{choose(('', 'LATERAL '))}({self._query(depth - 1)}) {choose(_NAMES)}"
        return f"{choose(_CALLS)}({self._expression(depth - 1)}) {choose(('', 'WITH ORDINALITY '))}{choose(_NAMES)}"

    def _expression(self, depth: int) -> str:
        choose, r = self._random.choice, self._random.random()
        if depth < 1 or r < 0.15:
            return choose(
                (*_NAMES, "1", "'a'", "NULL", "o.id", "o.pg_typeof", "*", "o.*", "E'\\n'", "true", "$1")
            )
        if r < 0.5:
            shape = choose(
                ("{}({})", "{}({}, {})", "{}(DISTINCT {})", "{}({} ORDER BY {})", '"{}"({})', "s.{}({})")
            )
            over = choose(("", "", " OVER ()", " FILTER (WHERE true)", " OVER (PARTITION BY id ORDER BY id)"))
            return (
                str(shape).format(choose(_CALLS), self._expression(depth - 1), self._expression(depth - 1))
                + over
            )
        if r < 0.7:
            return f"{self._expression(depth - 1)} {choose(('+', '||', '=', 'AND', 'IN', 'LIKE', '->>', '@>', 'IS DISTINCT FROM', '~'))} {self._expression(depth - 1)}"
        shapes = (
            "({})", "({}, {})", "CASE WHEN {} THEN {} END", "CAST({} AS int)", "{}::text", "{}::regclass", "ARRAY[{}]",
            "({}).id", "{}[1]", "EXISTS (SELECT {})", "(SELECT {})", "NOT {}", "ROW({}, {})", "{} IS NULL", "{} AT TIME ZONE {}",
            "extract(year FROM {})", "substring({} FROM 1 FOR 2)", "trim(both {} from {})", '{} COLLATE "C"', "int '1'",
        )  # fmt: skip
        return choose(shapes).format(self._expression(depth - 1), self._expression(depth - 1))
