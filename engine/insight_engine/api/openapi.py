"""The OpenAPI document: every route with each status it can answer and the media type of each."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from insight_engine import __version__
from insight_engine.api.problems import PROBLEM_JSON
from insight_engine.api.schemas import Problem, ResultDocument, ResultPage

_REF: Final = "#/components/schemas/{model}"
_DESCRIPTIONS: Final = {
    400: "The request, or its SQL, cannot be understood.",
    401: "There is no valid token.",
    403: "The caller may not do this.",
    404: "There is no such thing, or it is not the caller's to see.",
    406: "None of the forms that exist was asked for.",
    409: "Not now, or not any more: see the code.",
    410: "The result is no longer kept.",
    413: "The request is larger than is read.",
    415: "The body is not declared as JSON.",
    422: "A field is wrong, or the SQL is not allowed.",
    429: "Too much at once; Retry-After says when to come again.",
    502: "The data source refused, or did not answer.",
    503: "Something needed is away; Retry-After says when to come again.",
}
BODY: Final = (400, 413, 415, 422)
"""What a route that takes a body can always answer."""

Responses = dict[int | str, dict[str, Any]]


def problems(*statuses: int, signed_in: bool = True) -> Responses:
    """The failures of a route, those of every signed-in route among them."""
    content = {PROBLEM_JSON: {"schema": {"$ref": _REF.format(model=Problem.__name__)}}}
    all_of_it = {*statuses, 503, *((401,) if signed_in else ())}
    return {
        status: {"description": _DESCRIPTIONS[status], "content": content} for status in sorted(all_of_it)
    }


def content(*media_types: str, model: type[BaseModel] | None = None) -> dict[str, Any]:
    """A 200 whose body comes in these media types; the first may be of a model."""
    kinds: dict[str, Any] = {media_type: {} for media_type in media_types}
    if model is not None:
        kinds[media_types[0]] = {"schema": {"$ref": _REF.format(model=model.__name__)}}
    return {"description": "As asked for.", "content": kinds}


def describe(app: FastAPI) -> dict[str, Any]:
    """The document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title="Insight Engine",
            version=__version__,
            description="Answers questions over databases, safely. Errors are RFC 9457 problems.",
            routes=app.routes,
        )
        parts = document.setdefault("components", {})
        parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
        for model in (Problem, ResultDocument, ResultPage):
            _add(parts["schemas"], model)
        for unused in ("HTTPValidationError", "ValidationError"):
            parts["schemas"].pop(unused, None)
        for operations in document["paths"].values():
            for operation in operations.values():
                if "401" in operation["responses"] and operation["operationId"] != "token":
                    operation["security"] = [{"token": []}]
        app.openapi_schema = document
    return app.openapi_schema


def _add(schemas: dict[str, Any], model: type[BaseModel]) -> None:
    schema = model.model_json_schema(ref_template=_REF, mode="serialization")
    schemas.update(schema.pop("$defs", {}))
    schemas[model.__name__] = schema
