"""What do all requests have in common?  Origin, bounded bodies, JSON, and what this emulator does not do."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from emulators.cloud_storage.failures import Reason, StorageError

_MAX_BODY = 1 << 20
_UNSUPPORTED_PARAMETERS = (
    "destinationKmsKeyName",
    "destinationPredefinedAcl",
    "filter",
    "includeFoldersAsPrefixes",
    "enableObjectRetention",
    "kmsKeyName",
    "predefinedAcl",
    "predefinedDefaultObjectAcl",
)
_UNSUPPORTED_HEADERS = ("x-goog-encryption-", "x-goog-copy-source", "x-goog-acl", "x-goog-object-lock-")


def origin(request: Request) -> str:
    """Scheme and authority under which the client reached the emulator."""
    return f"http://{request.headers['host']}"


async def body(request: Request, most: int = _MAX_BODY) -> bytes:
    """The body of a request that describes something; contents never come this way."""
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > most:
            raise StorageError(Reason.INVALID, f"The body is larger than {most} bytes.")
    return bytes(data)


def read_resource(data: bytes) -> dict[str, Any]:
    """A JSON resource; no bytes are an empty resource."""
    try:
        resource = json.loads(data or b"{}")
        # Half a surrogate pair is no text and infinity no number: they could never be told again.
        json.dumps(resource, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise StorageError(Reason.INVALID, f"Parse Error: {error}") from error
    if not isinstance(resource, dict):
        raise StorageError(Reason.INVALID, "The body must be a JSON object.")
    return resource


def section(resource: dict[str, Any], name: str) -> dict[str, Any]:
    """An object within a resource; empty when it is not there."""
    value = resource.get(name)
    if value is not None and not isinstance(value, dict):
        raise StorageError(Reason.INVALID, f"Invalid value for {name}: it must be an object.")
    return value or {}


def number(resource: dict[str, Any], name: str) -> int | None:
    """A whole number within a resource, which JSON APIs write as a string too."""
    value = resource.get(name)
    if value is None:
        return None
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise StorageError(Reason.INVALID, f"Invalid value for {name}: {value!r}.") from error


def flag(query: Mapping[str, str], name: str) -> bool:
    """A parameter that is true or false, as the clients write it."""
    text = query.get(name, "false").lower()
    if text not in {"true", "false", ""}:
        raise StorageError(Reason.INVALID, f"Invalid value for {name}: {query[name]!r}.")
    return text == "true"


def refuse_unsupported(request: Request) -> None:
    """Raise when the request asks for what this emulator would have to ignore."""
    for name in _UNSUPPORTED_PARAMETERS:
        if request.query_params.get(name, "false") not in {"", "false", "False"}:
            raise StorageError(Reason.UNSUPPORTED, f"This emulator does not support {name}.")
    for name in request.headers:
        if name.startswith(_UNSUPPORTED_HEADERS):
            raise StorageError(Reason.UNSUPPORTED, f"This emulator does not support the header {name}.")
