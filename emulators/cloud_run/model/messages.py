"""The messages of `google.cloud.run.v2`, and their JSON as Google's REST transport speaks it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeAlias

from google.cloud.run_v2 import types as run
from google.protobuf import field_mask_pb2, json_format

from emulators.cloud_run.model.errors import invalid

# Protocol Buffers messages have no static types here; the aliases say which one is meant.
ServiceMessage: TypeAlias = Any
TemplateMessage: TypeAlias = Any
ContainerMessage: TypeAlias = Any
ScalingMessage: TypeAlias = Any
ConditionMessage: TypeAlias = Any
Json: TypeAlias = dict[str, Any]

Service = run.Service.pb()
Condition = run.Condition.pb()
TYPE_URL = "type.googleapis.com/google.cloud.run.v2.Service"


def parse_service(text: bytes) -> ServiceMessage:
    """A service from a request's JSON body."""
    try:
        return json_format.Parse(text or b"{}", Service())
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise invalid("service", f"Invalid JSON payload received: {error}") from error


def parse_mask(text: str) -> tuple[str, ...]:
    """The snake_case paths of an `updateMask` as the client sends it: camelCase, comma separated."""
    mask = field_mask_pb2.FieldMask()
    try:
        mask.FromJsonString(text)
    except ValueError as error:
        raise invalid("update_mask", f"Invalid field mask '{text}': {error}") from error
    return tuple(mask.paths)


def to_json(message: ServiceMessage) -> Json:
    """A message as REST JSON with numeric enums, as `$alt=json;enum-encoding=int` asks for."""
    document: Json = json_format.MessageToDict(message, use_integers_for_enums=True)
    return document


def from_json(document: Json) -> ServiceMessage:
    """A service that `to_json` wrote."""
    return json_format.ParseDict(document, Service())


def typed_json(message: ServiceMessage) -> Json:
    """A service packed as the `Any` of an operation."""
    return {"@type": TYPE_URL, **to_json(message)}


def copy_of(message: ServiceMessage) -> ServiceMessage:
    """An independent copy."""
    duplicate = type(message)()
    duplicate.CopyFrom(message)
    return duplicate


def set_time(field: Any, time: datetime) -> None:
    """Write an aware time into a Timestamp."""
    field.FromDatetime(time)
