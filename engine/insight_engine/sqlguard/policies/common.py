"""What every dialect's policy starts from. Data only; names that differ in meaning do not belong here."""

from sqlglot import exp

from insight_engine.sqlguard.policy import words

KEYWORDS = words("""
    all and as asc between by case cast collate cross current desc distinct else end escape except exists
    false filter first following from full group having in inner intersect is join last left like limit
    materialized natural not null nulls offset on or order outer over partition preceding range recursive
    right row rows select then true unbounded union using values when where window with within groups
    exclude others ties no
""")

FUNCTIONS = words("""
    abs acos asin atan atan2 avg ceil ceiling coalesce concat concat_ws cos count degrees dense_rank exp
    first_value floor lag last_value lead length ln log log10 lower ltrim max min mod ntile nth_value nullif
    percent_rank cume_dist pi power radians rank replace round row_number rtrim sign sin sqrt substr
    substring sum tan trim upper
""")

GRAMMAR = words(
    "between by cast escape exclude exists filter like materialized over repeatable row values zone"
)
"""Words of the grammar that may stand before a parenthesis though the database does not reserve them."""

DATA_TYPES = words("""
    BIGINT BINARY BIT BLOB BOOLEAN CHAR DATE DECIMAL DOUBLE FLOAT INT INTERVAL SMALLINT TEXT TIME TIMESTAMP
    TIMESTAMPTZ TINYINT VARCHAR JSON
""")

OPERATORS = words("+ - * / % < > = <= >= <> != ||")

NODES: frozenset[type[exp.Expr]] = frozenset({
    # the query and its clauses
    exp.Select, exp.Union, exp.Intersect, exp.Except, exp.Subquery, exp.Values, exp.Tuple, exp.With, exp.CTE,
    exp.From, exp.Join, exp.Where, exp.Group, exp.Having, exp.Order, exp.Ordered, exp.Limit, exp.Offset,
    exp.Distinct, exp.Window, exp.WindowSpec, exp.Filter, exp.WithinGroup, exp.Fetch,
    # names
    exp.Table, exp.TableAlias, exp.Alias, exp.Column, exp.Identifier, exp.Star, exp.Var, exp.ColumnDef,
    # values
    exp.Literal, exp.Null, exp.Boolean, exp.Placeholder, exp.Parameter, exp.DataType, exp.DataTypeParam,
    exp.Interval, exp.IntervalSpan, exp.Paren, exp.HexString,
    # operators and predicates
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.And, exp.Or, exp.Not, exp.Xor, exp.EQ, exp.NEQ,
    exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In, exp.Between, exp.Like, exp.Escape, exp.DPipe,
    exp.NullSafeEQ, exp.NullSafeNEQ, exp.All, exp.Any, exp.Exists, exp.BitwiseAnd, exp.BitwiseOr,
    exp.BitwiseNot, exp.BitwiseLeftShift, exp.BitwiseRightShift, exp.Collate, exp.IgnoreNulls,
    exp.RespectNulls, exp.SubqueryPredicate, exp.Cast, exp.Case, exp.If,
})  # fmt: skip
"""Node kinds of plain queries. Functions are judged by the name in the text and are not listed."""


def quoted(sign: str) -> str:
    """Return the regular expression of a name that is not empty, between `sign`s, each doubled inside."""
    return rf"{sign}(?=[^{sign}]|{sign}{sign})[^{sign}]*(?:{sign}{sign}[^{sign}]*)*{sign}(?!{sign})"
