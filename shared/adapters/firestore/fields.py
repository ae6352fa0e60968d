"""How does a domain value look as Firestore fields? Structure only: which document has which is `codec`'s.

A dataclass becomes a map with lowerCamelCase names, in which every field is written, an absent one as null. A
timedelta becomes whole microseconds; times keep their microseconds. Reading ignores names that it does not know and
gives those that are missing their default, so that a revision can read what its neighbour wrote.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, NewType, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")
Fields = dict[str, Any]

_MICROSECOND = timedelta(microseconds=1)


def to_fields(value: Any) -> Fields:
    """The fields of a dataclass."""
    type_: Any = type(value)
    return {camel(name): _encode(getattr(value, name)) for name in _names(type_)}


def from_fields(type_: type[T], stored: Mapping[str, Any]) -> T:
    """The dataclass whose fields `stored` holds."""
    hint: Any = type_
    return cast(T, _decoder(hint)(stored))


@cache
def camel(name: str) -> str:
    """`stop_timeout` as `stopTimeout`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


@cache
def _names(type_: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(type_))


def _encode(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, timedelta):
        return value // _MICROSECOND
    if isinstance(value, tuple):
        return [_encode(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _encode(item) for key, item in value.items()}
    return to_fields(value) if is_dataclass(value) else value


@cache
def _decoder(hint: Any) -> Callable[[Any], Any]:
    """What turns a stored value into one of the type `hint`."""
    if isinstance(hint, NewType):
        return _decoder(hint.__supertype__)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return _optional(_decoder(next(arm for arm in arguments if arm is not NoneType)))
    if origin is tuple:
        return _tuple_of(_decoder(arguments[0]))
    if origin is Mapping:
        return _map_of(_decoder(arguments[1]))
    if is_dataclass(hint):
        return _dataclass(cast(type, hint))
    return _SCALARS.get(hint, hint)


def _optional(decode: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else decode(value)


def _tuple_of(decode: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: tuple(decode(item) for item in value)


def _map_of(decode: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: {key: decode(item) for key, item in value.items()}


def _dataclass(type_: type) -> Callable[[Any], Any]:
    hints = get_type_hints(type_)
    plan = [(name, camel(name), _decoder(hints[name])) for name in _names(type_)]
    return lambda stored: type_(**{name: decode(stored[key]) for name, key, decode in plan if key in stored})


def _plain_datetime(value: datetime) -> datetime:
    """The client's own subclass prints and pickles differently, so it does not go beyond this module."""
    moment = value.astimezone(UTC)
    return datetime.combine(moment.date(), moment.time(), tzinfo=UTC)


_SCALARS: Mapping[Any, Callable[[Any], Any]] = {
    datetime: _plain_datetime,
    timedelta: lambda value: value * _MICROSECOND,
}
