"""What the API asks of a worker beside running queries: a schema, a plan, a test, an end. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID


class ControlKind(StrEnum):
    """What is asked; part of the stored row and of metrics."""

    SCHEMA = "schema"
    REFRESH = "refresh"
    TEST = "test"
    EXPLAIN = "explain"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """One thing asked of whichever worker takes it first.

    Attributes:
        payload: facts in JSON's types, by kind; never a secret.
    """

    id: UUID
    kind: ControlKind
    datasource: str
    correlation_id: str
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ControlAnswer:
    """What a worker answered: a document, or the code and sentence of an expected failure.

    Attributes:
        document: JSON's types; with an error, what is needed to raise it again.
    """

    document: Mapping[str, Any]
    error_code: str | None = None
    error_message: str | None = None


@dataclass(frozen=True, slots=True)
class ControlState:
    """How far a request is.

    Attributes:
        claimed: a worker has taken it.
    """

    claimed: bool
    answer: ControlAnswer | None


@dataclass(frozen=True, slots=True)
class ControlCall:
    """What is said to every worker at once; hearing it twice or never is harmless.

    Attributes:
        request_id: the stored request, to be claimed by whoever can.
        query_id: the query to end, which only its owner need act on.
    """

    request_id: UUID
    query_id: UUID | None = None
