"""The messages of `google.cloud.run.v2`, and their JSON as Google's REST transport speaks it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeAlias

from google.cloud.run_v2 import types as run
from google.protobuf import json_format

# Protocol Buffers messages have no static types here; the aliases say which one is meant.
ServiceMessage: TypeAlias = Any
TemplateMessage: TypeAlias = Any
ContainerMessage: TypeAlias = Any
ScalingMessage: TypeAlias = Any
ConditionMessage: TypeAlias = Any
ProbeMessage: TypeAlias = Any
Json: TypeAlias = dict[str, Any]

Service = run.Service.pb()
Condition = run.Condition.pb()


def to_json(message: ServiceMessage) -> Json:
    """A message as REST JSON with numeric enums, as `$alt=json;enum-encoding=int` asks for."""
    document: Json = json_format.MessageToDict(message, use_integers_for_enums=True)
    return document


def from_json(document: Json) -> ServiceMessage:
    """A service that `to_json` wrote."""
    return json_format.ParseDict(document, Service())


def copy_of(message: ServiceMessage) -> ServiceMessage:
    """An independent copy."""
    duplicate = type(message)()
    duplicate.CopyFrom(message)
    return duplicate


def set_time(field: Any, time: datetime) -> None:
    """Write an aware time into a Timestamp."""
    field.FromDatetime(time)
