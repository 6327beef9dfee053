"""The schema made of the models is structural, bounded and described; what cannot be so is refused."""

from collections.abc import Iterator
from typing import Annotated, Any, Optional, Union

import pytest
from pydantic import BaseModel, Field

from insight_operator.crd.manifest import custom_resource_definition
from insight_operator.crd.models import EngineSpec
from insight_operator.crd.schema import UnsupportedSchemaError, structural

SPEC = structural(EngineSpec)
ALLOWED_BESIDE_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]


class Inner(BaseModel):
    """Inside."""

    a: int = 1
    b: str = "x"


class Outer(BaseModel):
    """Outside."""

    inner: Inner = Inner()
    other: Inner = Inner(a=2)
    maybe: Optional[int] = None  # noqa: UP045 - the spelling pydantic makes an anyOf of
    above: Annotated[int, Field(gt=3)] = 4


class Recursive(BaseModel):
    """Contains itself."""

    again: Optional["Recursive"] = None


class TwoWays(BaseModel):
    """A union."""

    either: Union[int, str]  # noqa: UP007


class Fixed(BaseModel):
    """A tuple of fixed places."""

    pair: tuple[int, str]


def _parts(schema: dict[str, Any], path: str = "spec") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from _parts(part, f"{path}.{name}")
    for keyword in ("items", "additionalProperties"):
        if keyword in schema:
            yield from _parts(schema[keyword], f"{path}[]")


PARTS = [pytest.param(part, id=path) for path, part in _parts(SPEC)]


@pytest.mark.parametrize("part", PARTS)
def test_every_part_is_bounded(part: dict[str, Any]) -> None:
    if part.get("x-kubernetes-int-or-string"):
        assert part["anyOf"] == ALLOWED_BESIDE_INT_OR_STRING
        assert "type" not in part
    elif part["type"] == "string" and "enum" not in part:
        assert part["maxLength"] <= 4096
    elif part["type"] == "array":
        assert part["maxItems"] <= 256
    elif part["type"] == "integer":
        assert "maximum" in part
    elif "additionalProperties" in part:
        assert part["maxProperties"] <= 32


def test_every_field_is_described() -> None:
    bare = [path for path, part in _parts(SPEC) if not path.endswith("[]") and not part.get("description")]
    assert bare == []


def test_everything_has_a_default_but_what_the_user_must_say() -> None:
    required = {f"{path}.{name}" for path, part in _parts(SPEC) for name in part.get("required", ())}
    assert "spec.dataSources[].secretRef" in required
    assert not [path for path in required if path.count(".") == 1]


def test_a_default_is_said_in_one_place() -> None:
    fields = structural(Outer)["properties"]
    assert fields["inner"]["default"] == {}
    assert fields["other"]["default"] == {"a": 2}


def test_an_optional_field_loses_its_null() -> None:
    assert structural(Outer)["properties"]["maybe"] == {"type": "integer"}


def test_an_exclusive_bound_of_an_integer_becomes_an_inclusive_one() -> None:
    assert structural(Outer)["properties"]["above"]["minimum"] == 4


@pytest.mark.parametrize("model", [Recursive, TwoWays, Fixed], ids=lambda model: model.__name__)
def test_what_no_structural_schema_can_say_is_refused(model: type[BaseModel]) -> None:
    with pytest.raises(UnsupportedSchemaError):
        structural(model)


def test_the_columns_are_those_of_the_contract() -> None:
    columns = custom_resource_definition()["spec"]["versions"][0]["additionalPrinterColumns"]
    narrow = [column["name"] for column in columns if not column.get("priority")]
    wide = [column["name"] for column in columns if column.get("priority")]
    assert narrow == ["Ready", "Status", "API", "Workers", "Version", "Age"]
    assert wide == ["URL", "Database", "Broker", "Message"]


def test_uninstalling_the_chart_keeps_the_definition() -> None:
    assert custom_resource_definition()["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_the_scale_subresource_is_the_workers() -> None:
    scale = custom_resource_definition()["spec"]["versions"][0]["subresources"]["scale"]
    assert scale["specReplicasPath"] == ".spec.workers.replicas"
