"""What a SQLite statement may use. Data only.

Left out on purpose: load_extension, readfile and writefile, fts3_tokenizer, zeroblob and randomblob (memory),
every pragma_* table, dbstat and sqlite_dbpage, sqlite_* functions, changes and last_insert_rowid.
"""

from sqlglot import exp

from insight_engine.domain.sources import Dialect
from insight_engine.sqlguard.policies import common
from insight_engine.sqlguard.policy import Policy, words

_KEYWORDS = words("""
    current_date current_time current_timestamp glob isnull notnull nocase binary rtrim
""")

_RESERVED = words("""
    add all alter and as autoincrement between case check collate commit constraint create cross
    current_date current_time current_timestamp default deferrable delete distinct drop else escape except
    exists foreign from full group having in index indexed inner insert intersect into is isnull join left
    limit natural not nothing notnull null on or order outer primary references returning right select set
    table then to transaction union unique update using values when where attach detach pragma vacuum
    reindex analyze explain begin savepoint release rollback raise regexp match
""")

_FUNCTIONS = words("""
    acosh asinh atanh ceiling char cosh date datetime format glob group_concat hex ifnull iif instr json
    json_array json_array_length json_each json_error_position json_extract json_group_array
    json_group_object json_insert json_object json_patch json_pretty json_quote json_remove json_replace
    json_set json_tree json_type json_valid julianday like likely unlikely ln log2 median nullif
    octet_length pow printf quote random sinh soundex strftime string_agg tanh time timediff total trunc
    typeof unhex unicode unixepoch
""")

_NODES = common.NODES | {exp.Glob, exp.JSONExtract, exp.JSONExtractScalar, exp.JSONPath, exp.JSONPathRoot,
    exp.JSONPathKey, exp.JSONPathSubscript, exp.JSONPathWildcard, exp.JSONKeyValue}  # fmt: skip

SQLITE = Policy(
    dialect=Dialect.SQLITE,
    keywords=common.KEYWORDS | _KEYWORDS,
    reserved=_RESERVED,
    functions=common.FUNCTIONS | common.GRAMMAR | _FUNCTIONS | words("offset"),
    types=words(
        "integer int bigint smallint real double float numeric decimal text varchar char blob boolean"
    ),
    operators=common.OPERATORS | words("== & | ~ << >> -> ->>"),
    nodes=_NODES,
    data_types=common.DATA_TYPES | {"VARBINARY"},
    default_schema="main",
    system_schemas=words("temp"),
    system_prefixes=("sqlite_", "pragma_"),
    system_tables=words("""
        dbstat fts3tokenize fts4aux fts5vocab bytecode tables_used completion fsdir zipfile csv vsv carray
        stmt memstat tclvar unionvtab swarmvtab spellfix1 rtree geopoly fuzzer closure wholenumber
    """),
    column_functions=frozenset(),
    bounded={},
    case_sensitive_quotes=False,
    operator_characters="",
    escape_strings=False,
    parameter_pattern=r"\?(?:[1-9][0-9]{0,3}(?!\w))?(?![0-9])|:[A-Za-z_][A-Za-z0-9_]{0,62}(?!\w)",
    placeholders="?, ?1 or :name",
    recurses_unasked=True,
    literal_aliases=True,
    quoted_pattern="|".join((common.quoted('"'), r"\[[^\]]+\]", common.quoted("`"))),
)
