"""What every model of the resource shares: strictness, camelCase, and rules written once for both judges.

A `Rule` carries the CEL text for the API server and the same law for pydantic, so that the two cannot drift
apart unnoticed: tests/support/bad_engines.py is judged by both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

RULE_ERROR = "rule"
DNS_LABEL = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"


@dataclass(frozen=True, slots=True)
class Rule:
    """A law over the fields of one object.

    Attributes:
        cel: the law as the API server judges it.
        message: what is wrong and what to write instead.
        holds: the same law over the model; None for laws over a change, which only the API server sees.
        field: the field the complaint is about, relative to the object; empty for the object itself.
    """

    cel: str
    message: str
    holds: Callable[[Any], bool] | None
    field: str = ""

    def manifest(self) -> dict[str, str]:
        """Return the entry of `x-kubernetes-validations`."""
        entry = {"rule": self.cel, "message": self.message}
        if self.field:
            entry["fieldPath"] = f".{self.field}"
        return entry


class Model(BaseModel):
    """A part of the resource: unknown fields refused, immutable, camelCase outside."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )
    RULES: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _obey_rules(self) -> Self:
        for rule in self.RULES:
            if rule.holds is not None and not rule.holds(self):
                raise PydanticCustomError(
                    RULE_ERROR, "{message}", {"message": rule.message, "field": rule.field}
                )
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Add the rules to the schema."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        if cls.RULES:
            schema["x-kubernetes-validations"] = [rule.manifest() for rule in cls.RULES]
        return schema


def _unique(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        raise PydanticCustomError(
            RULE_ERROR, "{message}", {"message": "must not repeat an entry", "field": ""}
        )
    return values


def unique_by(key: str) -> AfterValidator:
    """Return a check that no two entries of a list have the same `key`."""

    def check(values: tuple[Any, ...]) -> tuple[Any, ...]:
        _unique(tuple(getattr(value, key) for value in values))
        return values

    return AfterValidator(check)


Unique = AfterValidator(_unique)
UniqueNames = unique_by("name")
SET = {"x-kubernetes-list-type": "set"}


def list_map(key: str) -> dict[str, Any]:
    """Return the markers of a list whose entries are told apart by `key`."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


Duration = Annotated[str, Field(pattern=r"^([1-9][0-9]{0,6}[sm]|[1-9][0-9]{0,5}h)$", max_length=8)]
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def seconds(duration: str) -> int:
    """Return the seconds of a duration that matched its pattern."""
    return int(duration[:-1]) * _SECONDS[duration[-1]]


def _number_to_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _quantity_schema(pattern: str) -> dict[str, Any]:
    return {
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "pattern": pattern,
        "maxLength": 16,
        "x-kubernetes-int-or-string": True,
    }


CPU_PATTERN = r"^([0-9]{1,4}(\.[0-9]{1,3})?|[1-9][0-9]{0,6}m)$"
# Kubernetes counts bytes in 64 bits: what a number of digits allows must stay below 2^63.
BYTES_PATTERN = r"^[1-9][0-9]{0,5}(\.[0-9]{1,3})?(Gi|Ti|G|T)$|^[1-9][0-9]{0,11}(\.[0-9]{1,3})?(Ki|Mi|k|M)?$"
Cpu = Annotated[
    str,
    BeforeValidator(_number_to_text),
    Field(pattern=CPU_PATTERN),
    WithJsonSchema(_quantity_schema(CPU_PATTERN)),
]
Bytes = Annotated[
    str,
    BeforeValidator(_number_to_text),
    Field(pattern=BYTES_PATTERN),
    WithJsonSchema(_quantity_schema(BYTES_PATTERN)),
]
StorageSize = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,5}(Mi|Gi|Ti|M|G|T)$", max_length=16)]
ObjectName = Annotated[str, Field(pattern=DNS_SUBDOMAIN, min_length=1, max_length=253)]

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_BINARY_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def amount(quantity: str) -> Decimal:
    """Return a quantity that matched its pattern as a number (cores or bytes)."""
    if quantity[-2:] in _BINARY_UNITS:
        return Decimal(quantity[:-2]) * _BINARY_UNITS[quantity[-2:]]
    if quantity.endswith("m"):
        return Decimal(quantity[:-1]) / 1000
    unit = quantity[-1] if quantity[-1] in _UNITS else ""
    return Decimal(quantity.removesuffix(unit)) * _UNITS[unit]


class SecretReference(Model):
    """A Secret of the same namespace; it must carry the label `insightengine.io/use: "true"`."""

    name: ObjectName
    """Name of the Secret."""
