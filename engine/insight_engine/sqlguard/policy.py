"""What a policy is: the shape of each dialect's data file in `policies/`. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from importlib.metadata import version

from sqlglot import exp

from insight_engine.domain.sources import Dialect


def words(text: str) -> frozenset[str]:
    """The set of blank-separated words of a block of text."""
    return frozenset(text.split())


@dataclass(frozen=True, eq=False)
class Policy:
    """Everything one dialect allows; what is not named here is refused.

    Attributes:
        dialect: which dialect, by the parser's name too.
        keywords: words of the grammar that a statement may use.
        reserved: words that the database never takes for a plain name; refused unless in `keywords`.
        functions: names that may stand before a parenthesis.
        types: type names, usable in casts and before a literal.
        operators: symbols.
        nodes: kinds of syntax-tree nodes; functions are judged by name and may be of any kind.
        data_types: the parser's names of the types that a cast may target.
        default_schema: the schema of unqualified tables when the source names none.
        system_schemas: schemas that nobody is granted.
        system_prefixes: beginnings of table names that are the database's own.
        system_tables: further such names.
        column_functions: names that, written after a qualifier, could be a function call.
        bounded: function → (argument index, largest literal): others must be small literals too.
        most_arguments: function → how many arguments it takes at most; with more it would be another one,
            or could fill the memory.
        row_columns: columns that every table has and that tell of its storage, refused.
        case_sensitive_quotes: whether a quoted name keeps its case.
        operator_characters: symbols whose longest run is one operator; empty where a run may be several.
        escape_strings: whether E'…' literals exist.
        parameter_pattern: regular expression of a placeholder.
        quoted_pattern: regular expression of a quoted name.
        line_comment_pattern: regular expression of a comment to the end of the line.
        string_pattern: regular expression of a literal; both of two readings must end it at the same place.
        template_functions: functions whose first argument is a template with widths.
        case_sensitive_tables: whether schemas and tables are told apart by case, quoted or not.
        name_quotes: what names are quoted in, for messages.
        placeholders: how placeholders are written, for messages.
        file_suffixes: what a name after a dot may not be, as the two would be the name of a file.
        lists_in_columns: whether IN may be followed by a column that holds a list.
        literal_aliases: whether AS may be followed by a name in the quotes of text.
        named_functions: functions whose second argument is a text that names another function.
        padded_types: types that fill their length with blanks or zeros: name → the largest length.
        recurses_unasked: whether WITH needs no RECURSIVE for a query to name itself.
        typed_literals: types that `type 'text'` makes a value of; after others the text is an alias.
        word_arguments: (function, argument index) where a word is a unit, a type or a form, never a column.
        has_lambdas: whether `x -> …` in a call can be a function, and is not only a JSON path.
    """

    dialect: Dialect
    keywords: frozenset[str]
    reserved: frozenset[str]
    functions: frozenset[str]
    types: frozenset[str]
    operators: frozenset[str]
    nodes: frozenset[type[exp.Expr]]
    data_types: frozenset[str]
    default_schema: str
    system_schemas: frozenset[str]
    system_prefixes: tuple[str, ...]
    system_tables: frozenset[str]
    column_functions: frozenset[str]
    bounded: Mapping[str, tuple[int, int]]
    case_sensitive_quotes: bool
    operator_characters: str
    escape_strings: bool
    parameter_pattern: str
    quoted_pattern: str
    line_comment_pattern: str = r"--[^\r\n]*"
    string_pattern: str = r"'[^']*(?:''[^']*)*'(?!')"
    template_functions: frozenset[str] = frozenset({"format", "printf"})
    case_sensitive_tables: bool = False
    literal_aliases: bool = False
    named_functions: frozenset[str] = frozenset()
    padded_types: Mapping[str, int] = field(default_factory=dict)
    recurses_unasked: bool = False
    typed_literals: frozenset[str] = frozenset()
    word_arguments: frozenset[tuple[str, int]] = frozenset()
    has_lambdas: bool = False
    file_suffixes: frozenset[str] = frozenset()
    name_quotes: str = "double quotes"
    placeholders: str = "?"
    lists_in_columns: bool = False
    most_arguments: Mapping[str, int] = field(default_factory=dict)
    row_columns: frozenset[str] = frozenset()

    @cached_property
    def digest(self) -> str:
        """Short fingerprint of all of the above and of the parser's version."""
        lines = [f"sqlglot={version('sqlglot')}"]
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, frozenset):
                value = sorted(v.__name__ if isinstance(v, type) else v for v in value)
            lines.append(f"{item.name}={sorted(value.items()) if isinstance(value, Mapping) else value}")
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
