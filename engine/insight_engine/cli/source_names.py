"""The names that a grant script is asked for: checked, and quoted so that none can end its quotes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_LONGEST: Final = {"login": 32, "schema": 63, "table": 63}


class WantedError(Exception):
    """A name or a number cannot be used; says which and why."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a script is to grant.

    Attributes:
        schemas: readable schemas, those of `tables` included.
        tables: (schema, table) pairs; a schema without any is granted whole.
    """

    login: str
    schemas: tuple[str, ...]
    tables: tuple[tuple[str, str], ...]
    connections: int
    timeout_s: int

    @classmethod
    def read(
        cls, login: str, schemas: Sequence[str], tables: Sequence[str], connections: int, timeout_s: int
    ) -> "Wanted":
        """Check what was asked for.

        Raises:
            WantedError: says what to write instead.
        """
        pairs = tuple(_pair(table) for table in tables)
        every = tuple(dict.fromkeys([*(_name("schema", s) for s in schemas), *(s for s, _ in pairs)]))
        if not every:
            raise WantedError("Name at least one --schema or --table.")
        if connections < 1 or timeout_s < 1:
            raise WantedError("--connections and --timeout must be at least 1.")
        return cls(_name("login", login), every, pairs, connections, timeout_s)

    def tables_of(self, schema: str) -> tuple[str, ...]:
        """The only tables granted of a schema; empty means all of them."""
        return tuple(table for owner, table in self.tables if owner == schema)


def _pair(text: str) -> tuple[str, str]:
    schema, dot, table = text.partition(".")
    if not dot:
        raise WantedError(f"--table {text!r} names no schema: write SCHEMA.TABLE.")
    return _name("schema", schema), _name("table", table)


def _name(kind: str, text: str) -> str:
    if not text or len(text.encode("utf-8", "replace")) > _LONGEST[kind]:
        raise WantedError(f"--{kind} {text!r} must have 1 to {_LONGEST[kind]} bytes.")
    if not text.isprintable():
        raise WantedError(f"--{kind} {text!r} holds a character that cannot be printed.")
    return text


def double_quoted(name: str) -> str:
    """An SQL identifier in standard quotes."""
    return '"' + name.replace('"', '""') + '"'


def back_quoted(name: str) -> str:
    """An identifier of MySQL."""
    return "`" + name.replace("`", "``") + "`"


def text(value: str) -> str:
    """An SQL text literal; a backslash in it would mean different things to different servers.

    Raises:
        WantedError: there is one.
    """
    if "\\" in value:
        raise WantedError(f"{value!r} holds a backslash: choose another name.")
    return "'" + value.replace("'", "''") + "'"
