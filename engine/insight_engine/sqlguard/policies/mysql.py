"""What a MySQL (8 and later) or MariaDB (10.5 and later) statement may use. Data only.

One list serves both servers: what only one of them knows is an error on the other, never a danger. Left out
on purpose: load_file, sleep, benchmark, every lock and wait-for-replica function, updatexml and extractvalue
(their errors repeat data), name_const, last_insert_id and the sequence functions, row_count and found_rows,
user, version, database, connection_id and the rest that describe the session, ps_*, sys.*, sformat and kdf
(memory, time), encryption with server keys, uncompress (bombs), variables, and everything that writes.
"""

from sqlglot import exp

from insight_engine.domain.sources import Dialect
from insight_engine.sqlguard.policies import common
from insight_engine.sqlguard.policy import Policy, words

_KEYWORDS = words("""
    against any binary both boolean character charset columns cube current_date current_time
    current_timestamp day day_hour day_microsecond day_minute day_second div dual empty error exists fetch
    for grouping hour hour_microsecond hour_minute hour_second ignore interval json_table language lateral
    leading localtime localtimestamp member minute minute_microsecond minute_second microsecond minus mod
    mode month months distinctrow nested next of only ordinality path quarter query expansion regexp respect
    rlike rollup second second_microsecond separator set sounds some trailing unsigned signed utc_date
    utc_time utc_timestamp week xor year year_month zerofill default time at zone returning
    utf8mb4 utf8 latin1 ascii utf8mb3 replace straight_join
""") - words("returning set")

_RESERVED = words("""
    accessible add all alter analyze and as asc asensitive before between bigint binary blob both by call
    cascade case change char character check collate column condition constraint continue convert create
    cross cume_dist current_date current_role current_time current_timestamp current_user cursor database
    databases day_hour day_microsecond day_minute day_second dec decimal declare default delayed delete
    delete_domain_id dense_rank desc describe deterministic distinct distinctrow div do_domain_ids double
    drop dual each else elseif enclosed escaped except exists exit explain external false fetch float float4
    float8 for force foreign from fulltext general generated get grant group having high_priority
    hour_microsecond hour_minute hour_second if ignore ignore_domain_ids ignore_server_ids in index infile
    inner inout insensitive insert int int1 int2 int3 int4 int8 integer intersect interval into io_after_gtids
    io_before_gtids is iterate join json_table key keys kill lateral leading leave left library like limit
    linear lines load localtime localtimestamp lock long longblob longtext loop low_priority manual
    master_bind master_heartbeat_period master_ssl_verify_server_cert match maxvalue mediumblob mediumint
    mediumtext middleint minute_microsecond minute_second mod modifies natural no_write_to_binlog not null
    numeric on optimize optimizer_costs option optionally or order out outer outfile dumpfile over
    page_checksum parallel parse_vcol_expr partition precision primary procedure purge qualify range read
    read_write reads real recursive ref_system_id references regexp release rename repeat replace require
    resignal restrict return returning revoke right rlike row_number rows schema schemas second_microsecond
    select sensitive separator set show signal slow smallint spatial specific sql sql_big_result
    sql_buffer_result sql_cache sql_calc_found_rows sql_no_cache sql_small_result sqlexception sqlstate
    sqlwarning ssl starting stats_auto_recalc stats_persistent stats_sample_pages stored straight_join table
    tablesample terminated then tinyblob tinyint tinytext to trailing trigger true undo union unique unlock
    unsigned update usage use using utc_date utc_time utc_timestamp values varbinary varchar varcharacter
    varying vector virtual when where while window with write xor year_month zerofill examined procedure
    handler prepare execute deallocate session_user system_user
""")

_FUNCTIONS = words("""
    abs adddate add_months addtime any_value ascii bin bin_to_uuid bit_and bit_count bit_length bit_or bit_xor
    cast char char_length character_length chr coercibility concat concat_ws conv convert convert_tz cot
    crc32 crc32c curdate current_date current_time current_timestamp curtime date date_add date_format
    date_sub datediff day dayname dayofmonth dayofweek dayofyear degrees elt exp extract field find_in_set
    format format_bytes from_base64 from_days from_unixtime get_format greatest group_concat grouping hex hour
    if ifnull inet6_aton inet6_ntoa inet_aton inet_ntoa insert instr interval is_ipv4 is_ipv4_compat
    is_ipv4_mapped is_ipv6 is_uuid isnull json_array json_array_append json_array_insert json_array_intersect
    json_arrayagg json_compact json_contains json_contains_path json_depth json_detailed json_equals
    json_exists json_extract json_insert json_key_value json_keys json_length json_loose json_merge
    json_merge_patch json_merge_preserve json_normalize json_object json_object_filter_keys
    json_object_to_array json_objectagg json_overlaps json_pretty json_query json_quote json_remove
    json_replace json_schema_valid json_search json_set json_storage_size json_table json_type json_unquote
    json_valid json_value last_day lcase least left length lengthb localtime localtimestamp locate log2
    lpad make_set makedate maketime md5 median microsecond mid minute month monthname months_between
    natural_sort_key now nvl nvl2 oct octet_length ord percentile_cont percentile_disc period_add
    period_diff position pow quarter quote rand regexp_instr regexp_like regexp_replace regexp_substr repeat
    reverse right rpad sec_to_time second sha sha1 sha2 soundex space std stddev stddev_pop stddev_samp
    str_to_date strcmp subdate substring_index subtime sysdate time time_format time_to_sec timediff
    timestamp timestampadd timestampdiff to_base64 to_char to_days to_number to_seconds truncate ucase
    unhex unix_timestamp utc_date utc_time utc_timestamp uuid uuid_to_bin uuid_v4 uuid_v7 values var_pop
    var_samp variance week weekday weekofyear year yearweek bit_xor against match member of mod replace row
    columns nested rollup partition point st_x st_y st_distance st_distance_sphere st_contains st_within
    st_astext st_geomfromtext st_srid st_intersects
""") - words("coercibility")

_TYPES = words("""
    binary bigint bool boolean char character date datetime dec decimal double float int integer json
    longtext mediumint mediumtext nchar numeric precision real signed smallint text time timestamp tinyint
    tinytext unsigned varchar year
""")

_DATA_TYPES = common.DATA_TYPES | words("""
    BIGDECIMAL DATETIME UBIGINT UINT USMALLINT UTINYINT MEDIUMINT MEDIUMTEXT LONGTEXT TINYTEXT NCHAR
    VARBINARY YEAR CHARACTER_SET UDECIMAL UDOUBLE UMEDIUMINT
""")

_NODES = common.NODES | {
    exp.Lateral, exp.RegexpLike, exp.IntDiv, exp.JSONExtract, exp.JSONExtractScalar, exp.JSONValue,
    exp.JSONPath, exp.JSONPathRoot, exp.JSONPathKey, exp.JSONPathSubscript, exp.JSONPathWildcard,
    exp.JSONPathSlice, exp.JSONPathRecursive, exp.JSONKeyValue, exp.JSONTable, exp.JSONSchema,
    exp.JSONColumnDef, exp.MatchAgainst, exp.JSONArrayContains, exp.BitwiseXor, exp.Rollup, exp.Soundex,
    exp.JSON, exp.LimitOptions,
}  # fmt: skip

MYSQL = Policy(
    dialect=Dialect.MYSQL,
    keywords=common.KEYWORDS | _KEYWORDS,
    reserved=_RESERVED,
    functions=common.FUNCTIONS | common.GRAMMAR | _FUNCTIONS | words("any some"),
    types=_TYPES,
    operators=common.OPERATORS | words("<=> && ! & | ^ ~ << >> -> ->>"),
    nodes=_NODES,
    data_types=_DATA_TYPES,
    default_schema="main",
    system_schemas=words("mysql information_schema performance_schema sys ndbinfo innodb"),
    system_prefixes=("sqlite_",),
    system_tables=frozenset(),
    column_functions=frozenset(),
    bounded={"repeat": (1, 10_000), "lpad": (1, 10_000), "rpad": (1, 10_000), "space": (0, 10_000)},
    case_sensitive_quotes=False,
    operator_characters="",
    escape_strings=False,
    parameter_pattern=r"\?(?![0-9])",
    quoted_pattern=common.quoted("`"),
    line_comment_pattern=r"(?:--(?=[ \t\r\n]|$)|\#)[^\r\n]*",
    string_pattern=r"'[^'\\]*(?:(?:\\[^'\"]|'')[^'\\]*)*'(?!')|\"[^\"\\]*(?:\"\"[^\"\\]*)*\"(?!\")",
    template_functions=frozenset(),
    typed_literals=words("date time timestamp"),
    word_arguments=frozenset({("convert", 1), ("get_format", 0), ("timestampdiff", 0), ("timestampadd", 0)}),
    padded_types={"binary": 10_000},
    case_sensitive_tables=True,
    literal_aliases=True,
    name_quotes="backticks",
)
