"""JSON in and out: bytes from values, and values from bytes with every bad field named."""

from typing import Any, TypeVar

import msgspec

from shared.domain.errors import InvalidArgument, Violation

T = TypeVar("T", bound=msgspec.Struct)

LONGEST_BODY = 1024 * 1024


def encode(value: object) -> bytes:
    return msgspec.json.encode(value)


def decode_body(body: bytes, shape: type[T]) -> T:
    """A request body as `shape`. Raises InvalidArgument with every violation."""
    try:
        raw = msgspec.json.decode(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidArgument(
            "The body is not JSON.", "INVALID_JSON", violations=(Violation("", str(error)[:200]),)
        ) from error
    if not isinstance(raw, dict):
        raise InvalidArgument("The body must be a JSON object.", "INVALID_JSON")
    return _convert(raw, shape, strict=True)


def decode_query(query: dict[str, str], shape: type[T]) -> T:
    """Query parameters as `shape`. Raises InvalidArgument with every violation."""
    return _convert(dict(query), shape, strict=False)


def _convert(raw: dict[str, Any], shape: type[T], *, strict: bool) -> T:
    try:
        return msgspec.convert(raw, shape, strict=strict)
    except msgspec.ValidationError:
        violations = tuple(_violations(raw, shape, strict=strict))
        raise InvalidArgument(
            "The request has fields that cannot be used.", "INVALID_FIELDS", violations=violations
        ) from None


def _violations(raw: dict[str, Any], shape: type[T], *, strict: bool) -> list[Violation]:
    """msgspec stops at the first error; each field is tried alone, so that a caller sees all of them."""
    known = {field.encode_name: field for field in msgspec.structs.fields(shape)}
    found = [Violation(str(name)[:100], "unknown field") for name in raw if name not in known]
    for name, field in known.items():
        if name not in raw:
            if field.required:
                found.append(Violation(name, "required"))
            continue
        try:
            msgspec.convert(raw[name], field.type, strict=strict)
        except msgspec.ValidationError as error:
            found.append(Violation(name, str(error)[:200]))
    return found
