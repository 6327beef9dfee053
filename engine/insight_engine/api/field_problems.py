"""What is wrong with the fields of a request, in the API's own words: the reason and the cure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from fastapi import Request

_TEXTS: Final[Mapping[str, str]] = {
    "missing": "it is required: add it",
    "string_type": "it must be text",
    "string_too_short": "it is too short: it needs at least {min_length} character(s)",
    "string_too_long": "it is too long: it may have at most {max_length} characters",
    "string_pattern_mismatch": "it holds characters that are not allowed: it must match {pattern}",
    "int_type": "it must be a whole number",
    "int_parsing": "it must be a whole number",
    "int_parsing_size": "it must be a whole number that fits in 64 bits",
    "int_from_float": "it must be a whole number",
    "float_type": "it must be a number",
    "float_parsing": "it must be a number",
    "finite_number": "it must be a finite number",
    "bool_type": "it must be true or false",
    "bool_parsing": "it must be true or false",
    "greater_than": "it must be greater than {gt}",
    "greater_than_equal": "it must be at least {ge}",
    "less_than": "it must be less than {lt}",
    "less_than_equal": "it must be at most {le}",
    "literal_error": "it must be {expected}",
    "enum": "it must be {expected}",
    "uuid_type": "it must be a UUID, as the API gave it out",
    "uuid_parsing": "it must be a UUID, as the API gave it out",
    "list_type": "it must be a list",
    "dict_type": "it must be an object",
    "model_type": "it must be a JSON object",
    "model_attributes_type": "it must be a JSON object",
    "too_long": "it may have at most {max_length} entries",
    "value_error": "{error}",
}
"""By pydantic's names of errors, whose own texts speak of validators and of Python."""

_KINDS: Final = {"list_type", "dict_type"}
_SCALARS: Final = {"bool", "int", "float", "str"}


def fields_of(request: Request) -> tuple[str, ...]:
    """The names that the body of a request may have, as far as its route declares them."""
    dependant = getattr(request.scope.get("route"), "dependant", None)
    kinds = [parameter.field_info.annotation for parameter in getattr(dependant, "body_params", ())]
    return tuple(name for kind in kinds for name in getattr(kind, "model_fields", {}))


def field_problems(found: Iterable[Mapping[str, Any]], known: Sequence[str] = ()) -> list[dict[str, str]]:
    """One entry for each bad field; a field that may be of several kinds names them all."""
    messages: dict[str, list[str]] = {}
    for field, entry in _meant([(_field(entry["loc"]), entry) for entry in found]):
        told = messages.setdefault(field, [])
        if (message := _message(entry, known)) not in told:
            told.append(message)
    return [{"field": field, "message": ", or ".join(told)} for field, told in messages.items()]


def _meant(found: list[tuple[str, Mapping[str, Any]]]) -> list[tuple[str, Mapping[str, Any]]]:
    """Without complaints that a list is no object, and the reverse, where one of the two was understood."""
    inner = [field for field, entry in found if entry["type"] not in _KINDS]
    return [
        (field, entry)
        for field, entry in found
        if entry["type"] not in _KINDS or not any(f"{other}.".startswith(f"{field}.") for other in inner)
    ]


def _message(entry: Mapping[str, Any], known: Sequence[str]) -> str:
    if entry["type"] == "extra_forbidden":
        return f"unknown field: use one of {', '.join(known)}" if known else "unknown field: leave it out"
    text = _TEXTS.get(entry["type"])
    if text is None:
        return str(entry["msg"])
    return text.format_map({name: _plain(value) for name, value in entry.get("ctx", {}).items()})


def _plain(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _field(place: Iterable[object]) -> str:
    """The path of a field; the names that pydantic gives to the branches of a union are left out."""
    _, *parts = [part for part in map(str, place) if "[" not in part]
    if len(parts) > 1 and parts[-1] in _SCALARS:
        parts.pop()
    return ".".join(parts) or "body"
