"""Refuses work whose size stands in the text and is out of all proportion. Pure.

A courtesy to those who share the database, not a limit: the same work can be written so that no text shows
it. What a query may cost is bounded by deadlines, by limits of rows and bytes, and by the servers.
"""

from collections.abc import Iterator

from sqlglot import exp

from insight_engine.sqlguard.calls import argument
from insight_engine.sqlguard.lexer import Kind, Token
from insight_engine.sqlguard.names import Names
from insight_engine.sqlguard.reasons import Reason, ReasonCode
from insight_engine.sqlguard.scopes import Scopes
from insight_engine.sqlguard.text import fold

_MOST_IN_SERIES = 10_000_000
_MOST_REPEATED = 100_000
_MOST_MULTIPLIED = 4
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_SERIES = frozenset({"generate_series", "range"})
_START_STOP_STEP = 3
_MAY_BE_EMPTY = (exp.UDTF, exp.GenerateSeries, exp.RegexpSplit, exp.Anonymous)


def check_bounds(tokens: tuple[Token, ...], tree: exp.Expr, scopes: Scopes, names: Names) -> Iterator[Reason]:
    """Yield a reason for each series, repetition, recursion and product that is surely too large."""
    for index, token in enumerate(tokens[:-1]):
        if token.kind is not Kind.WORD or tokens[index + 1].text != "(":
            continue
        if token.text in _SERIES and _series_length(tokens, index + 1) > _MOST_IN_SERIES:
            message = f"This series has more than {_MOST_IN_SERIES:,} values: shorten it."
            yield names.where.reason(ReasonCode.TOO_COMPLEX, message, token.start)
    often = _too_often(tokens)
    if often is not None:
        message = f"Together this repeats a text more than {_MOST_REPEATED:,} times: repeat it less."
        yield names.where.reason(ReasonCode.TOO_COMPLEX, message, often.start)
    tables = {id(table) for table in scopes.tables}
    for node in tree.find_all(exp.Select, exp.CTE):
        if isinstance(node, exp.CTE) and _is_endless(node, tree, names):
            message = "Nothing ends this recursion: add a WHERE to its last SELECT, or a LIMIT."
        elif isinstance(node, exp.Select) and _multiplied(node, tables) > _MOST_MULTIPLIED:
            message = f"More than {_MOST_MULTIPLIED} tables are multiplied here: join them ON conditions."
        else:
            continue
        yield names.where.reason(ReasonCode.TOO_COMPLEX, message, _place(node))


def _series_length(tokens: tuple[Token, ...], opening: int) -> float:
    """How many values a series has whose arguments are plain numbers; 0 for any other."""
    arguments = [found for place in range(4) if (found := argument(tokens, opening, place))]
    numbers = [number for found in arguments if (number := _number(found)) is not None]
    if not numbers or len(numbers) < len(arguments) or len(numbers) > _START_STOP_STEP:
        return 0
    start, stop = (numbers[0], numbers[1]) if len(numbers) > 1 else (0.0, numbers[0])
    step = numbers[2] if len(numbers) == _START_STOP_STEP else 1.0
    return (stop - start) / step if step else 0


def _number(found: list[Token]) -> float | None:
    sign = -1.0 if found[0].text == "-" else 1.0
    if found[0].text in {"-", "+"}:
        found = found[1:]
    is_plain = len(found) == 1 and found[0].kind is Kind.NUMBER
    return sign * float(found[0].text) if is_plain else None


def _too_often(tokens: tuple[Token, ...]) -> Token | None:
    """The first call that, with the repetitions in what it repeats, repeats a text too often; one pass."""
    opened: list[tuple[int, float]] = []
    largest = 1.0
    for index, token in enumerate(tokens):
        sign = token.text if token.kind is Kind.PUNCTUATION else ""
        if sign in _OPENING:
            opened.append((index, largest))
            largest = 1.0
        elif sign in _CLOSING and opened:
            opening, beside = opened.pop()
            call = tokens[opening - 1]
            if opening and call.kind is Kind.WORD and call.text == "repeat" and tokens[index - 2].text == ",":
                largest *= _number([tokens[index - 1]]) or 1.0
                if largest > _MOST_REPEATED:
                    return call
            largest = max(largest, beside)
    return None


def _is_endless(cte: exp.CTE, tree: exp.Expr, names: Names) -> bool:
    """Whether the last arm reads only itself, on no condition, and no LIMIT anywhere could stop it."""
    body, arm = cte.this, None
    clause = cte.parent
    recurses = names.policy.recurses_unasked or (clause is not None and clause.args.get("recursive"))
    if not recurses:
        return False
    if isinstance(body, exp.Union) and not body.args.get("distinct") and not body.args.get("by_name"):
        arm = body.expression
    if not isinstance(arm, exp.Select) or arm.args.get("joins") or arm.args.get("laterals"):
        return False
    clause = arm.args.get("from_")
    table = clause.this if isinstance(clause, exp.From) else None
    if not isinstance(table, exp.Table) or fold(table.name) != fold(cte.alias) or table.args.get("joins"):
        return False
    # `SELECT unnest(x.children)` may return no row, which ends it.
    if table.args.get("db") is not None or any(part.find(*_MAY_BE_EMPTY) for part in arm.expressions):
        return False
    stopped = any(arm.args.get(part) is not None for part in ("having", "qualify", "sample"))
    return not stopped and not _has_condition(arm.args.get("where")) and not tree.find(exp.Limit, exp.Fetch)


def _multiplied(select: exp.Select, tables: set[int]) -> int:
    """How many real tables a SELECT without WHERE takes on no condition."""
    clause = select.args.get("from_")
    if not isinstance(clause, exp.From) or _has_condition(select.args.get("where")):
        return 0
    found = int(id(clause.this) in tables)
    for join in [*select.args.get("joins", ()), *clause.this.args.get("joins", ())]:
        joins = join.args.get("using") or join.args.get("method") or _has_condition(join.args.get("on"))
        found += id(join.this) in tables and not joins
    return found


def _has_condition(node: object) -> bool:
    """Whether a condition depends on the row; WHERE true is none."""
    return isinstance(node, exp.Expr) and node.find(exp.Column) is not None


def _place(node: exp.Expr) -> int:
    return next((n.meta["start"] for n in node.walk() if "start" in n.meta), 0)
