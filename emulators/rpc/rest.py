"""How does a REST call become a message, and back?  Transcoding as `google.api.http` describes it.

The path's variables and the query fill the request's fields, the body one field or all of them.
"""

import re
from collections.abc import Iterable
from typing import Any

from google.protobuf import json_format
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulators.errors import ApiError, Code
from emulators.faults.gate import Dropped, FaultGate
from emulators.rpc.credentials import carry
from emulators.rpc.method import Message, Method
from emulators.serving import cut

_VARIABLE = re.compile(r"\{(\w+(?:\.\w+)*)=([^}]*)\}")
# What every Google API takes and no method has as a field.
_SYSTEM = frozenset(
    {
        *("alt", "callback", "fields", "key", "prettyPrint", "quotaUser", "userProject", "$.xgafv"),
        *("access_token", "oauth_token", "upload_protocol", "uploadType"),
        *("$alt", "$callback", "$fields", "$key", "$prettyPrint", "$quotaUser", "$userProject"),
    }
)
_UNDERSCORE = re.compile(r"_([a-z0-9])")
_NUMERIC_ENUMS = "enum-encoding=int"


def routes(methods: Iterable[Method], gate: FaultGate) -> list[Route]:
    """A route for each method; verbs after a colon first, as a name would swallow them."""
    ordered = sorted(methods, key=lambda method: ":" not in method.path)
    return [_route(method, gate) for method in ordered]


def to_json(message: Message, *, numeric_enums: bool) -> Any:
    """A message as Google's REST APIs write it."""
    return json_format.MessageToDict(message, use_integers_for_enums=numeric_enums)


def _route(method: Method, gate: FaultGate) -> Route:
    templates: dict[str, list[str]] = {}
    path = _VARIABLE.sub(lambda found: _opened(found, templates), method.path)

    async def endpoint(request: Request) -> Response:
        carry(request.headers.get("authorization"))
        message = await _message(method, request, templates)
        try:
            answer = await gate.around(method.name, method.resource(message), lambda: method.handler(message))
        except Dropped:
            return cut(request)
        numeric = _NUMERIC_ENUMS in request.query_params.get("$alt", "")
        return JSONResponse(to_json(answer, numeric_enums=numeric))

    return Route(path, endpoint, methods=[method.verb], name=method.name)


def _opened(found: re.Match[str], templates: dict[str, list[str]]) -> str:
    """`{name=projects/*}` as `projects/{name__0}`; the template remembers how to put it together again."""
    variable, pattern = found.groups()
    parts: list[str] = []
    for segment in pattern.split("/"):
        if segment in ("*", "**"):
            convertor = ":path" if segment == "**" else ""
            parts.append(f"{{{variable.replace('.', '__')}__{len(parts)}{convertor}}}")
        else:
            parts.append(segment)
    templates[variable] = parts
    return "/".join(parts)


async def _message(method: Method, request: Request, templates: dict[str, list[str]]) -> Message:
    document = await _body(method, request)
    for name, value in request.query_params.multi_items():
        if name not in _SYSTEM:
            _put(document, method.request.DESCRIPTOR, name, value)
    for variable, parts in templates.items():
        path = [request.path_params[p.strip("{}").partition(":")[0]] if p[0] == "{" else p for p in parts]
        _put(document, method.request.DESCRIPTOR, variable, "/".join(path))
    try:
        return json_format.ParseDict(document, method.request())
    except json_format.ParseError as error:
        raise ApiError(Code.INVALID_ARGUMENT, f"Invalid JSON payload received. {error}") from error


async def _body(method: Method, request: Request) -> dict[str, Any]:
    text = await request.body()
    if not method.body or not text:
        return {}
    try:
        document = await request.json()
    except (ValueError, RecursionError) as error:
        raise ApiError(Code.INVALID_ARGUMENT, f"Invalid JSON payload received. {error}") from error
    if not isinstance(document, dict):
        raise ApiError(Code.INVALID_ARGUMENT, "Invalid JSON payload received. It is not an object.")
    return document if method.body == "*" else {_json_name(method, method.body): document}


def _json_name(method: Method, field: str) -> str:
    return str(method.request.DESCRIPTOR.fields_by_name[field].json_name)


def _put(document: dict[str, Any], descriptor: Any, path: str, value: str) -> None:
    """Set a field by its dotted name, in camelCase or snake_case; INVALID_ARGUMENT when there is none."""
    first, _, rest = path.partition(".")
    found = [field for field in descriptor.fields if first in (field.name, field.json_name)]
    if not found or (rest and (found[0].message_type is None or found[0].is_repeated)):
        raise ApiError(
            Code.INVALID_ARGUMENT,
            f'Invalid JSON payload received. Unknown name "{path}": Cannot bind query parameter. '
            f"Field '{first}' could not be found in request message.",
        )
    (field,) = found
    if rest:
        inner = document.setdefault(field.json_name, {})
        if not isinstance(inner, dict):
            raise ApiError(
                Code.INVALID_ARGUMENT, f"Invalid JSON payload received. '{first}' is not an object."
            )
        _put(inner, field.message_type, rest, value)
    elif field.is_repeated:
        document.setdefault(field.json_name, []).append(_scalar(field, value))
    else:
        document[field.json_name] = _scalar(field, value)


def _scalar(field: Any, value: str) -> Any:
    if field.type == field.TYPE_BOOL:
        return {"true": True, "false": False}.get(value.lower(), value)
    if field.message_type is not None and field.message_type.full_name == "google.protobuf.FieldMask":
        # Masks are documented in snake_case, and their JSON form is camelCase: Google takes either.
        return _UNDERSCORE.sub(lambda found: found[1].upper(), value)
    return value
