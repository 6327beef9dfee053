"""What a PostgreSQL statement may use. Data only.

Functions: immutable or stable, free of side effects, blind to files, settings, other sessions and the
catalog, and taking no SQL in a string. Left out on purpose, each a known way around a guard: pg_*, lo_*,
dblink*, set_config and current_setting, nextval and its family, *_to_xml, query_to_*, xpath on entities,
txid_* and advisory locks, has_*_privilege, to_reg*, version, inet_*_addr, ts_stat and ts_rewrite.
"""

from sqlglot import exp

from insight_engine.domain.sources import Dialect
from insight_engine.sqlguard.policies import common
from insight_engine.sqlguard.policy import Policy, words

_KEYWORDS = words("""
    any array at both cube current_date current_time current_timestamp cycle day dow doy decade century
    millennium epoch escape fetch for grouping hour ilike isodow isoyear lateral leading overlaps local
    localtime localtimestamp microseconds millisecond milliseconds minute month next normalize normalized
    only ordinality placing quarter rollup second sets similar some symmetric asymmetric tablesample
    repeatable time timezone trailing unknown varying week without year years months days hours minutes
    seconds zone isnull notnull breadth depth search to precision absent nfc nfd nfkc nfkd scalar unique
    timezone_hour timezone_minute keys object wrapper conditional unconditional omit quotes keep empty error
""")

_RESERVED = words("""
    all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate
    collation column concurrently constraint create cross current_catalog current_date current_role
    current_schema current_time current_timestamp current_user default deferrable desc distinct do else end
    except false fetch for foreign freeze from full grant group having ilike in initially inner intersect
    into is isnull join lateral leading left like limit localtime localtimestamp natural not notnull null
    offset on only or order outer overlaps placing primary references returning right select session_user
    similar some symmetric system_user table tablesample then to trailing true union unique user using
    variadic verbose when where window with execute prepare
""")

_FUNCTIONS = words("""
    acosd acosh asind asinh atan2d atand atanh cbrt cosd cosh cot cotd div erf erfc exp gcd lcm log10
    min_scale power pow scale sind sinh tand tanh trim_scale trunc width_bucket ascii bit_count bit_length
    btrim char_length character_length chr concat concat_ws format initcap left lpad md5 normalize
    octet_length overlay parse_ident position quote_literal quote_nullable regexp_count regexp_instr
    regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table
    regexp_substr repeat reverse right rpad split_part starts_with string_to_array string_to_table strpos
    convert_from convert_to to_ascii to_hex to_bin to_oct translate casefold decode encode get_bit get_byte
    sha224 sha256 sha384 sha512 crc32 crc32c to_char to_date to_number to_timestamp age date_bin
    date_part date_trunc date_add date_subtract extract isfinite justify_days justify_hours
    justify_interval make_date make_interval
    make_time make_timestamp make_timestamptz now timeofday transaction_timestamp statement_timestamp
    clock_timestamp timezone current_date current_time current_timestamp localtime localtimestamp array_agg
    any_value bit_and bit_or bit_xor bool_and bool_or every string_agg range_agg range_intersect_agg corr
    covar_pop covar_samp regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy
    regr_syy stddev stddev_pop stddev_samp variance var_pop var_samp mode percentile_cont percentile_disc
    grouping json_agg json_agg_strict json_object_agg json_object_agg_strict json_object_agg_unique
    json_object_agg_unique_strict jsonb_agg jsonb_agg_strict jsonb_object_agg jsonb_object_agg_strict
    jsonb_object_agg_unique jsonb_object_agg_unique_strict json_arrayagg json_objectagg array_append
    array_cat array_dims array_length array_lower array_ndims array_position array_positions array_prepend
    array_remove array_replace array_reverse array_sample array_shuffle array_sort array_to_string
    array_upper cardinality trim_array unnest array generate_series generate_subscripts to_json to_jsonb
    array_to_json row_to_json json_array json_object json_build_array jsonb_build_array json_build_object
    jsonb_build_object json_exists json_query json_value json_scalar json_serialize jsonb_object
    json_array_elements jsonb_array_elements json_array_elements_text jsonb_array_elements_text
    json_array_length jsonb_array_length json_each jsonb_each json_each_text jsonb_each_text
    json_extract_path jsonb_extract_path json_extract_path_text jsonb_extract_path_text json_object_keys
    jsonb_object_keys json_to_record jsonb_to_record json_to_recordset jsonb_to_recordset json_strip_nulls
    jsonb_strip_nulls jsonb_set jsonb_set_lax jsonb_insert jsonb_path_exists jsonb_path_match
    jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_path_exists_tz jsonb_path_query_tz
    jsonb_pretty json_typeof jsonb_typeof greatest least num_nonnulls num_nulls lower upper isempty
    lower_inc upper_inc lower_inf upper_inf range_merge multirange numrange int4range int8range daterange
    tsrange tstzrange int4multirange int8multirange nummultirange datemultirange tsmultirange tstzmultirange
    to_tsvector to_tsquery plainto_tsquery phraseto_tsquery websearch_to_tsquery ts_rank ts_rank_cd
    ts_headline numnode querytree strip setweight tsvector_to_array array_to_tsvector abbrev broadcast
    family host hostmask inet_merge inet_same_family masklen netmask network set_masklen macaddr8_set7bit
    area box bound_box center circle diagonal diameter height isclosed isopen line lseg npoints point
    polygon radius slope width gen_random_uuid uuidv4 uuidv7 uuid_extract_timestamp uuid_extract_version
    bernoulli system random row values rollup cube sets similarity word_similarity strict_word_similarity
    unaccent levenshtein soundex metaphone
""")

_TYPES = words("""
    bigint bit bool boolean bytea char character date datemultirange daterange decimal double float float4
    float8 inet cidr macaddr int int2 int4 int8 integer interval json jsonb jsonpath numeric numrange
    int4range int8range precision real smallint text time timestamp timestamptz timetz tsquery tsrange
    int4multirange int8multirange nummultirange tsmultirange tstzmultirange tstzrange tsvector uuid varchar
    varbit point box circle line lseg polygon
""")

_DATA_TYPES = common.DATA_TYPES | words("""
    ARRAY BIGDECIMAL BPCHAR DATEMULTIRANGE DATERANGE INET INT4MULTIRANGE INT4RANGE INT8MULTIRANGE INT8RANGE
    JSONB NUMMULTIRANGE NUMRANGE TIMETZ TSMULTIRANGE TSRANGE TSTZMULTIRANGE TSTZRANGE UUID VARBINARY
""")

_OPERATORS = common.OPERATORS | words("""
    ^ | & # ~ << >> ~* !~ !~* ~~ ~~* !~~ !~~* ^@ -> ->> #> #>> #- @> <@ ? ?| ?& @? @@ && -|- <-> => :: |/
    ||/ @ &< &>
""")

_NODES = common.NODES | {
    exp.Lateral, exp.ILike, exp.SimilarTo, exp.RegexpLike, exp.RegexpILike, exp.Array, exp.ArrayContainsAll,
    exp.ArrayContainedBy, exp.ArrayOverlaps, exp.Bracket, exp.Slice, exp.AtTimeZone, exp.JSONExtract,
    exp.JSONExtractScalar, exp.JSONBExtract, exp.JSONBExtractScalar, exp.JSONBContains, exp.JSONPath,
    exp.JSONPathRoot, exp.JSONPathKey, exp.JSONPathSubscript, exp.JSONPathWildcard, exp.JSONPathSlice,
    exp.BitwiseXor, exp.Pow, exp.GroupingSets, exp.Rollup, exp.Cube, exp.TableSample, exp.ByteString,
    exp.Kwarg, exp.PropertyEQ, exp.Distance, exp.Overlaps, exp.Schema, exp.Adjacent,
    exp.ExtendsLeft, exp.ExtendsRight, exp.JSONKeyValue, exp.JSONBDeleteAtPath, exp.FormatJson,
    exp.Lambda, exp.LimitOptions, exp.MatchAgainst, exp.JSON, exp.JSONBContainsAnyTopKeys,
    exp.JSONBContainsAllTopKeys, exp.JSONBPathExists, exp.IntDiv,
    exp.JSONValue,
}  # fmt: skip

POSTGRES = Policy(
    dialect=Dialect.POSTGRES,
    keywords=common.KEYWORDS | _KEYWORDS,
    reserved=_RESERVED,
    functions=common.FUNCTIONS | common.GRAMMAR | _FUNCTIONS,
    types=_TYPES,
    operators=_OPERATORS,
    nodes=_NODES,
    data_types=_DATA_TYPES,
    default_schema="public",
    system_schemas=words("pg_catalog information_schema pg_toast"),
    system_prefixes=("pg_",),
    system_tables=frozenset(),
    column_functions=words("""
    row_to_json to_json to_jsonb num_nulls num_nonnulls record_out record_send record_recv hash_record
    hash_record_extended array_agg json_agg jsonb_agg query_to_xml table_to_xml cursor_to_xml
    current_setting set_config nextval currval setval lastval version txid_current
"""),
    bounded={
        **dict.fromkeys(("repeat", "lpad", "rpad"), (1, 10000)),
        # These types fill their length with blanks or zeros.
        **dict.fromkeys(("char", "character", "bit"), (0, 10000)),
    },
    # polygon(n, circle) makes n points.
    most_arguments={"polygon": 1},
    typed_literals=_TYPES,
    word_arguments=frozenset({("normalize", 1)}),
    row_columns=words("ctid xmin xmax cmin cmax tableoid"),
    case_sensitive_quotes=True,
    operator_characters=r"~!@#%^&|`?+\-*/<>=",
    escape_strings=True,
    parameter_pattern=r"\$[1-9][0-9]{0,3}(?!\w)",
    quoted_pattern=common.quoted('"'),
    placeholders="$1, $2 …",
)
