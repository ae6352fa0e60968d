"""OpenAPI 3.1 from the route table: the document cannot drift from what is served."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from functions.http.routes import Access, Answer, Incoming, Nothing, Route

REF = "#/components/schemas/{name}"
_PARAMETER = re.compile(r"\{(\w+)\}")


def document_route(title: str, version: str, routes: Sequence[Route]) -> Route:
    """GET /openapi.json for these routes."""
    built = document(title, version, routes)

    def handler(_incoming: Incoming) -> Answer:
        return Answer(built)

    return Route("GET", "/openapi.json", handler, Access.PUBLIC, "This document.")


def document(title: str, version: str, routes: Sequence[Route]) -> dict[str, Any]:
    shapes = [shape for route in routes for shape in (route.body, route.answer, route.query) if shape]
    schemas, components = msgspec.json.schema_components([*shapes, Nothing], ref_template=REF)
    by_shape = dict(zip([*shapes, Nothing], schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_shape, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "license": {"name": "Proprietary"}},
        "paths": paths,
        "components": {
            "schemas": {**components, "Error": _ERROR},
            "securitySchemes": {"firebase": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(route: Route, by_shape: dict[Any, Any], components: dict[str, Any]) -> dict[str, Any]:
    answer = by_shape[route.answer] if route.answer else {"type": "object"}
    operation: dict[str, Any] = {
        "summary": route.summary,
        "operationId": _operation_id(route),
        "parameters": [*_path_parameters(route), *_query_parameters(route, components)],
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": answer}}},
            "default": {
                "description": "google.rpc.Status.",
                "content": _content({"$ref": REF.format(name="Error")}),
            },
        },
    }
    if route.answer and route.answer.__name__ == "Operation":
        operation["responses"]["202"] = {"description": "It goes on.", "content": _content(answer)}
    if route.body:
        operation["requestBody"] = {"required": True, "content": _content(by_shape[route.body])}
    if route.access is not Access.PUBLIC:
        operation["security"] = [{"firebase": []}]
    return operation


def _operation_id(route: Route) -> str:
    words = re.sub(r"[^A-Za-z]+", " ", _PARAMETER.sub(r"\1", route.path)).split()
    return route.method.lower() + "".join(word[0].upper() + word[1:] for word in words)


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(route.path)
    ]


def _query_parameters(route: Route, components: dict[str, Any]) -> list[dict[str, Any]]:
    properties = components[route.query.__name__].get("properties", {})
    return [{"name": name, "in": "query", "schema": schema} for name, schema in properties.items()]


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "status", "message", "details"],
            "properties": {
                "code": {"type": "integer"},
                "status": {"type": "string"},
                "message": {"type": "string"},
                "details": {"type": "array", "items": {"type": "object"}},
            },
        }
    },
}
