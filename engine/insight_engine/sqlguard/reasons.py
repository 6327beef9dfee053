"""Why a statement is refused: a closed list of codes, part of the API. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class ReasonCode(StrEnum):
    """Stable names; clients and tests rely on them."""

    BAD_REQUEST = "bad_request"
    EMPTY = "empty"
    TOO_LONG = "too_long"
    TOO_COMPLEX = "too_complex"
    FORBIDDEN_CHARACTER = "forbidden_character"
    FORBIDDEN_COMMENT = "forbidden_comment"
    AMBIGUOUS_TEXT = "ambiguous_text"
    SYNTAX = "syntax"
    MULTIPLE_STATEMENTS = "multiple_statements"
    NOT_A_QUERY = "not_a_query"
    KEYWORD_NOT_ALLOWED = "keyword_not_allowed"
    CONSTRUCT_NOT_ALLOWED = "construct_not_allowed"
    FUNCTION_NOT_ALLOWED = "function_not_allowed"
    OPERATOR_NOT_ALLOWED = "operator_not_allowed"
    TYPE_NOT_ALLOWED = "type_not_allowed"
    SYSTEM_CATALOG = "system_catalog"
    SCHEMA_NOT_GRANTED = "schema_not_granted"
    TABLE_NOT_GRANTED = "table_not_granted"
    COLUMN_NOT_GRANTED = "column_not_granted"
    UNKNOWN_TABLE = "unknown_table"
    UNKNOWN_COLUMN = "unknown_column"
    FILE_AS_TABLE = "file_as_table"
    COLUMN_CALLS_FUNCTION = "column_calls_function"
    PARAMETERS_MISMATCH = "parameters_mismatch"


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that is wrong with a statement.

    Attributes:
        code: the kind.
        message: a sentence that says what and how to cure it.
        line: 1-based line of the text, when it has a place.
        column: 1-based column of the text, when it has a place.
    """

    code: ReasonCode
    message: str
    line: int | None = None
    column: int | None = None


class Rejected(Exception):  # noqa: N818 - a verdict, not a fault
    """The statement may not run; `reasons` is never empty."""

    def __init__(self, reasons: tuple[Reason, ...]) -> None:
        super().__init__("; ".join(reason.message for reason in reasons))
        self.reasons = reasons
