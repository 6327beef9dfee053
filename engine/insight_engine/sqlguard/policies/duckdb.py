"""What a DuckDB statement may use. Data only.

Left out on purpose: every reader and scan (read_*, *_scan, glob, sniff_csv, parquet_*), query and
query_table,
json_execute_serialized_sql and json_serialize_sql, duckdb_*, pragma_*, getenv, getvariable, current_setting,
sequences, secrets, logging, sleep_ms, external resources, which_secret, st_*, stats, error, setseed.
"""

from sqlglot import exp

from insight_engine.domain.sources import Dialect
from insight_engine.sqlguard.policies import common
from insight_engine.sqlguard.policy import Policy, words

_KEYWORDS = words("""
    any anti array asof at both century cube current_date current_time current_timestamp day days decade dow
    doy epoch for grouping hour hours if ignore ilike interval isodow isoyear lambda lateral leading
    localtime localtimestamp microsecond microseconds millennium millisecond milliseconds minute minutes
    month months only ordinality placing positional precision qualify quarter replace rollup second seconds
    semi sets nocase noaccent sample name to similar some struct map symmetric tablesample percent
    repeatable time respect trailing try_cast varying week year years zone isnull notnull without glob
""")

_RESERVED = words("""
    all analyse analyze and any array as asc asymmetric both case cast check collate column constraint
    create default deferrable desc describe distinct do else end except false fetch for foreign from group
    having in initially intersect into lambda lateral leading limit not null offset on only or order pivot
    pivot_longer pivot_wider placing primary qualify references returning select show some summarize
    symmetric table then to trailing true union unique unpivot using variadic when where window with user
    current_user session_user current_role current_catalog current_schema
""")

_FUNCTIONS = words("""
    acosh add age aggregate any_value apply approx_count_distinct approx_quantile approx_top_k arbitrary
    arg_max arg_max_null arg_min arg_min_null argmax argmin array array_agg array_aggregate array_append
    array_apply array_cat array_concat array_contains array_cosine_distance array_cosine_similarity
    array_cross_product array_distance array_distinct array_dot_product array_extract array_filter array_has
    array_has_all array_has_any array_indexof array_inner_product array_intersect array_length
    array_pop_back array_pop_front array_position array_prepend array_push_back array_push_front
    array_reduce array_reverse array_reverse_sort array_select array_slice array_sort array_to_json
    array_to_string array_transform array_unique array_value array_where array_zip ascii asinh atanh bar
    base64 bin bit_and bit_count bit_length bit_or bit_position bit_xor bitstring bool_and bool_or
    cardinality cbrt century char_length character_length chr contains corr cosh cot count_if count_star
    countif covar_pop covar_samp current_date current_localtime current_localtimestamp current_time
    current_timestamp damerau_levenshtein date_add date_diff date_part date_sub date_trunc datediff datepart
    datesub datetrunc day dayname dayofmonth dayofweek dayofyear days_in_month decade decode divide
    element_at encode ends_with entropy enum_code enum_first enum_last enum_range epoch epoch_ms epoch_ns
    epoch_us equi_width_bins era even extract factorial favg fdiv filter first flatten fmod format
    format_bytes formatreadablesize formatreadabledecimalsize from_base64 from_binary from_hex from_json
    fsum gamma gcd gen_random_uuid generate_series generate_subscripts geomean geometric_mean get_bit
    get_current_time get_current_timestamp greatest greatest_common_divisor group_concat grouping
    grouping_id hamming hash hex histogram hour if ifnull instr isfinite isinf isnan isodow isoyear jaccard
    jaro_similarity jaro_winkler_similarity json json_array json_array_length json_contains json_each
    json_exists json_extract json_extract_path json_extract_path_text json_extract_string json_group_array
    json_group_object json_group_structure json_keys json_merge_patch json_object json_pretty json_quote
    json_structure json_transform json_transform_strict json_tree json_type json_valid json_value julian
    kahan_sum kurtosis kurtosis_pop last last_day lcase lcm least left len levenshtein lgamma like_escape
    list list_aggr list_aggregate list_any_value list_append list_apply list_avg list_bool_and list_bool_or
    list_cat list_concat list_contains list_cosine_distance list_cosine_similarity list_count list_distance
    list_distinct list_dot_product list_element list_extract list_filter list_first list_has list_has_all
    list_has_any list_indexof list_inner_product list_intersect list_last list_max list_median list_min
    list_mode list_pack list_position list_prepend list_product list_reduce list_reverse list_reverse_sort
    list_select list_slice list_sort list_stddev_pop list_stddev_samp list_string_agg list_sum
    list_transform list_unique list_value list_var_pop list_var_samp list_where list_zip listagg log2 lpad
    mad make_date make_time make_timestamp make_timestamptz map map_concat map_contains map_entries
    map_extract map_extract_value map_from_entries map_keys map_values max_by md5 md5_number mean median
    microsecond millennium millisecond min_by minute mismatches mode month monthname multiply nextafter
    nfc_normalize now octet_length ord overlay position pow prefix product quantile quantile_cont
    quantile_disc quarter random range reduce regexp_escape regexp_extract regexp_extract_all
    regexp_full_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regr_avgx
    regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy repeat
    reservoir_quantile reverse right round_even roundbankers row row_to_json rpad second sem sha1 sha256
    signbit sinh skewness split split_part starts_with stddev stddev_pop stddev_samp str_split
    str_split_regex strftime string_agg string_split string_split_regex string_to_array strip_accents strlen
    strpos strptime struct_concat struct_contains struct_extract struct_extract_at struct_insert struct_keys
    struct_pack struct_values subtract suffix sumkahan tanh time_bucket timezone timezone_hour
    timezone_minute to_base to_base64 to_binary to_centuries to_days to_decades to_hex to_hours to_json
    to_microseconds to_milliseconds to_minutes to_months to_quarters to_seconds to_timestamp to_weeks
    to_years today transaction_timestamp translate trunc try_cast try_strptime typeof ucase unbin unhex
    unicode union_extract union_tag union_value unnest upper url_decode url_encode uuid uuidv4 uuidv7
    uuid_extract_timestamp var_pop var_samp variance wavg week weekday weekofyear weighted_avg xor year
    yearweek columns bernoulli reservoir system percentile_cont percentile_disc every exclude replace struct
    values rollup cube sets try fill rank_dense rename join printf
""")

_TYPES = words("""
    bigint bit blob bool boolean bytea char character date datetime dec decimal double float float4 float8
    hugeint int int1 int2 int4 int8 integer interval json long map numeric real short smallint string struct
    text time timestamp timestamptz timestamp_s timestamp_ms timestamp_ns timetz tinyint ubigint uhugeint
    uinteger usmallint utinyint uuid varchar varbinary
""")

_DATA_TYPES = common.DATA_TYPES | words("""
    ARRAY LIST MAP STRUCT UNION INT128 UINT128 UBIGINT UINT USMALLINT UTINYINT UUID VARBINARY DATETIME
    TIMETZ TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS TIMESTAMPNTZ BIGNUM
""")

_NODES = common.NODES | {
    exp.Lateral, exp.ILike, exp.SimilarTo, exp.RegexpLike, exp.RegexpFullMatch, exp.Array, exp.List,
    exp.ArrayContainsAll, exp.ArrayContainedBy, exp.ArrayOverlaps, exp.Bracket, exp.Slice, exp.AtTimeZone,
    exp.JSONExtract, exp.JSONExtractScalar, exp.JSONPath, exp.JSONPathRoot, exp.JSONPathKey,
    exp.JSONPathSubscript, exp.JSONPathWildcard, exp.JSONPathSlice, exp.BitwiseXor, exp.Pow, exp.IntDiv,
    exp.GroupingSets, exp.Rollup, exp.Cube, exp.TableSample, exp.Qualify, exp.Kwarg, exp.PropertyEQ,
    exp.Lambda, exp.Struct, exp.Map, exp.ToMap, exp.VarMap, exp.Dot, exp.Comprehension, exp.Glob,
    exp.Distance, exp.TryCast,
    exp.JSONKeyValue, exp.LimitOptions,
    exp.Columns, exp.Unnest, exp.Schema, exp.ByteString, exp.Aliases, exp.JSON, exp.Try,
}  # fmt: skip

DUCKDB = Policy(
    dialect=Dialect.DUCKDB,
    keywords=common.KEYWORDS | _KEYWORDS,
    reserved=_RESERVED,
    functions=common.FUNCTIONS | common.GRAMMAR | _FUNCTIONS,
    types=_TYPES,
    operators=common.OPERATORS
    | words("^ ** // & | ~ << >> ~~ ~~* !~~ !~~* -> ->> @> <@ && ^@ == :: => := !~ ~~~"),
    nodes=_NODES,
    data_types=_DATA_TYPES,
    default_schema="main",
    system_schemas=words("information_schema pg_catalog temp system"),
    system_prefixes=("duckdb_", "pragma_", "pg_", "sqlite_"),
    system_tables=frozenset(),
    column_functions=frozenset(),
    bounded={
        **dict.fromkeys(("repeat", "lpad", "rpad", "bitstring"), (1, 10000)),
        "equi_width_bins": (2, 10_000),
    },
    # FROM histogram(table, column) is a macro that reads the table it is told in a text. The others hand on,
    # or take, the size of a sample.
    most_arguments={
        "histogram": 1,
        "reservoir_quantile": 2,
        **dict.fromkeys(("aggregate", "list_aggr", "list_aggregate", "array_aggregate"), 3),
    },
    case_sensitive_quotes=False,
    operator_characters=r"~!@#%^&|`+\-*/<>=",
    escape_strings=True,
    parameter_pattern=r"\$(?:[1-9][0-9]{0,3}|[A-Za-z_][A-Za-z0-9_]{0,62})(?!\w)|\?",
    quoted_pattern=common.quoted('"'),
    file_suffixes=words("""
        arrow avro bz2 csv db db3 ddb duckdb feather geojson gz ipc json jsonl lance ndjson orc parquet pq
        sqlite sqlite3 tsv txt vortex xls xlsx xml yaml yml zip zst
    """),
    lists_in_columns=True,
    literal_aliases=True,
    named_functions=words("aggregate list_aggr list_aggregate array_aggregate array_aggr"),
    typed_literals=_TYPES,
    has_lambdas=True,
    placeholders="?, $1 or $name",
)
