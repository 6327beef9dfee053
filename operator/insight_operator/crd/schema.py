"""Turns the JSON schema that pydantic makes of a model into the structural schema Kubernetes takes. Pure.

Whatever has no structural counterpart is refused loudly here, when the CRD is generated, not by a server
later.
"""

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Callable

Schema = dict[str, Any]

_DROPPED = {"title", "examples", "propertyNames", "$defs"}
_COPIED = {
    "type",
    "description",
    "enum",
    "format",
    "pattern",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "minimum",
    "maximum",
    "required",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-validations",
}


class UnsupportedSchemaError(Exception):
    """A model says something that a structural schema cannot."""


def structural(model: type[BaseModel]) -> Schema:
    """Return the structural schema of a model.

    Raises:
        UnsupportedSchemaError: the model has a union, a recursion, or a keyword without a counterpart.
    """
    schema = model.model_json_schema(by_alias=True, mode="validation")
    converted = _Converter(schema.get("$defs", {})).convert(schema, model.__name__, ())
    _compact_defaults(converted)
    return converted


class _Converter:
    def __init__(self, definitions: dict[str, Schema]) -> None:
        self._definitions = definitions
        self._rules: dict[str, Callable[[Schema, str, tuple[str, ...]], Schema]] = {
            "anyOf": self._any_of,
            "properties": self._properties,
            "items": self._items,
            "additionalProperties": self._additional,
            "default": self._default,
            "const": self._const,
            "exclusiveMinimum": self._exclusive_minimum,
        }

    def convert(self, schema: Schema, path: str, inside: tuple[str, ...]) -> Schema:
        schema, inside = self._resolved(schema, path, inside)
        made: Schema = {}
        for keyword in sorted(schema):
            if keyword in _DROPPED:
                continue
            if keyword in self._rules:
                made |= self._rules[keyword](schema, path, inside)
            elif keyword in _COPIED:
                made[keyword] = schema[keyword]
            else:
                raise UnsupportedSchemaError(f"{path}: {keyword} has no structural counterpart")
        return _bounds_named_for(made)

    def _resolved(self, schema: Schema, path: str, inside: tuple[str, ...]) -> tuple[Schema, tuple[str, ...]]:
        """Inline a reference; what stands beside it, such as a description, rules."""
        reference = schema.get("$ref")
        if reference is None:
            return schema, inside
        name = str(reference).rpartition("/")[2]
        if name in inside:
            raise UnsupportedSchemaError(f"{path}: {name} contains itself")
        beside = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
        return self._definitions[name] | beside, (*inside, name)

    def _any_of(self, schema: Schema, path: str, inside: tuple[str, ...]) -> Schema:
        if schema.get("x-kubernetes-int-or-string"):
            return {"anyOf": schema["anyOf"]}
        branches = [branch for branch in schema["anyOf"] if branch != {"type": "null"}]
        if len(branches) != 1:
            raise UnsupportedSchemaError(f"{path}: a union; use optional fields and a rule")
        chosen = self.convert(branches[0], path, inside)
        if "description" in schema:
            chosen.pop("description", None)
        return chosen

    def _properties(self, schema: Schema, path: str, inside: tuple[str, ...]) -> Schema:
        properties = schema["properties"]
        made = {name: self.convert(properties[name], f"{path}.{name}", inside) for name in properties}
        return {"properties": made}

    def _items(self, schema: Schema, path: str, inside: tuple[str, ...]) -> Schema:
        if schema.get("prefixItems"):
            raise UnsupportedSchemaError(f"{path}: a tuple of fixed places")
        return {"items": self.convert(schema["items"], f"{path}[]", inside)}

    def _additional(self, schema: Schema, path: str, inside: tuple[str, ...]) -> Schema:
        """Keep the schema of a map's values; strictness beside properties is the API server's own."""
        additional = schema["additionalProperties"]
        if isinstance(additional, bool):
            return {}
        return {"additionalProperties": self.convert(additional, f"{path}{{}}", inside)}

    def _default(self, schema: Schema, _path: str, _inside: tuple[str, ...]) -> Schema:
        default = schema["default"]
        return {} if default is None or default in ([], {}) else {"default": _without_nothing(default)}

    def _const(self, schema: Schema, _path: str, _inside: tuple[str, ...]) -> Schema:
        return {"enum": [schema["const"]]}

    def _exclusive_minimum(self, schema: Schema, path: str, _inside: tuple[str, ...]) -> Schema:
        if schema.get("type") != "integer":
            raise UnsupportedSchemaError(f"{path}: exclusiveMinimum of a number that is no integer")
        return {"minimum": schema["exclusiveMinimum"] + 1}


def _bounds_named_for(schema: Schema) -> Schema:
    """Name the bounds as the type asks: pydantic bounds a variable tuple or a map by its length."""
    suffix = {"array": "Items", "object": "Properties"}.get(schema.get("type", ""))
    if suffix is None:
        return schema
    renamed = {"minLength": f"min{suffix}", "maxLength": f"max{suffix}"}
    return {renamed.get(keyword, keyword): value for keyword, value in schema.items()}


def _without_nothing(value: Any) -> Any:
    """Return a default without the fields that it leaves empty."""
    if isinstance(value, dict):
        return {key: _without_nothing(item) for key, item in value.items() if item not in (None, [], {})}
    return value


def _compact_defaults(schema: Schema) -> None:
    """Leave out of an object's default what its own fields default to: each default is said in one place."""
    for part in _below(schema):
        _compact_defaults(part)
    for part in schema.get("properties", {}).values():
        if isinstance(part.get("default"), dict):
            part["default"] = _beyond_fields(part["default"], part)


def _below(schema: Schema) -> list[Schema]:
    parts = list(schema.get("properties", {}).values())
    parts += [schema[keyword] for keyword in ("items", "additionalProperties") if keyword in schema]
    return parts


def _beyond_fields(default: Any, schema: Schema) -> Any:
    # Where there are rules the API server judges the default as it is written, before defaulting its fields.
    if not isinstance(default, dict) or "x-kubernetes-validations" in schema:
        return default
    fields = schema.get("properties", {})
    made = {key: _beyond_fields(value, fields.get(key, {})) for key, value in default.items()}
    return {key: value for key, value in made.items() if value != fields.get(key, {}).get("default")}
