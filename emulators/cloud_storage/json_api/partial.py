"""Which fields of an answer does a client want?  The masks of the ``fields`` parameter: ``items(name,size),prefixes``."""

import re
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from emulators.cloud_storage.failures import Reason, StorageError

Mask = dict[str, "Mask"]
"""The fields that are wanted, each with those wanted within it; an empty mask wants everything."""

_PART = re.compile(r"[^(),/\s]+|[(),/]")


def described(
    request: Request, resource: dict[str, Any], headers: dict[str, str] | None = None
) -> JSONResponse:
    """The answer that describes something, as much of it as the client asks for."""
    fields = request.query_params.get("fields")
    return JSONResponse(select(resource, parse_mask(fields)) if fields else resource, headers=headers)


def parse_mask(text: str) -> Mask:
    """Read a mask; raises when it is malformed."""
    tokens = iter([*_PART.findall(text), ""])
    mask, end = _fields(tokens)
    if end:
        raise StorageError(Reason.INVALID, f"Invalid field selection {text!r}.")
    return mask


def _fields(tokens: Iterator[str]) -> tuple[Mask, str]:
    """The fields up to a closing bracket or the end, and which of them it was."""
    mask: Mask = {}
    part = ","
    while part == ",":
        name = next(tokens)
        if not name or name in "(),/":
            raise StorageError(Reason.INVALID, f"Invalid field selection at {name!r}.")
        inner, part = _inner(tokens)
        mask[name] = mask.get(name, {}) | inner
    return mask, part


def _inner(tokens: Iterator[str]) -> tuple[Mask, str]:
    """What is wanted within the field that was just named, and what follows."""
    part = next(tokens)
    if part == "/":
        name = next(tokens)
        inner, part = _inner(tokens)
        return {name: inner}, part
    if part == "(":
        inner, end = _fields(tokens)
        if end != ")":
            raise StorageError(Reason.INVALID, "Invalid field selection: a bracket is not closed.")
        return inner, next(tokens)
    return {}, part


def select(value: Any, mask: Mask) -> Any:
    """What the mask leaves of a JSON value."""
    if isinstance(value, list):
        return [select(item, mask) for item in value]
    if not isinstance(value, dict) or not mask or "*" in mask:
        return value
    return {name: select(item, mask[name]) for name, item in value.items() if name in mask}
