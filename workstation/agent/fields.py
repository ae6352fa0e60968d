"""Is the JSON body of a request well formed? Collects every bad field before it refuses."""

import json
from typing import Any

from starlette.requests import Request

from agent.errors import AgentError

BODY_LIMIT = 1024 * 1024
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"


class Fields:
    """A JSON object whose fields are taken one by one; `close` refuses with all that was wrong."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values
        self._taken: set[str] = set()
        self._violations: list[dict[str, str]] = []

    def take(self, name: str, default: Any = None) -> Any:
        """Return the value of a field as it came."""
        self._taken.add(name)
        return self._values.get(name, default)

    def number(self, name: str, *, above: float = 0, inclusive: bool = False) -> float | None:
        """Return a finite number above the limit, or None when it is absent."""
        value = self.take(name)
        if value is None:
            return None
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and value < 1e12 and (value > above or (inclusive and value == above)):
            return float(value)
        self.refuse(name, f"must be a number {'from' if inclusive else 'above'} {above}, or null")
        return None

    def text(self, name: str, default: str | None = None) -> str | None:
        """Return a string, or the default when it is absent."""
        value = self.take(name)
        if value is None or isinstance(value, str):
            return default if value is None else value
        self.refuse(name, "must be a string")
        return default

    def flag(self, name: str) -> bool:
        """Return a boolean, False when it is absent."""
        value = self.take(name, False)
        if isinstance(value, bool):
            return value
        self.refuse(name, "must be true or false")
        return False

    def refuse(self, name: str, description: str) -> None:
        """Note that a field is bad."""
        self._violations.append({"field": name, "description": description})

    def close(self) -> None:
        """Raise a 400 that names every bad and every unknown field, if there is one."""
        for name in self._values.keys() - self._taken:
            self.refuse(name, "is not a field of this request")
        if self._violations:
            names = ", ".join(sorted({violation["field"] for violation in self._violations}))
            details = [{"@type": BAD_REQUEST, "fieldViolations": self._violations}]
            raise AgentError(400, f"the request has bad fields: {names}", details)


async def read_fields(request: Request) -> Fields:
    """Read a JSON object of at most 1 MiB from a request."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise AgentError(413, "the request body is larger than 1 MiB; send large input as a file")
    try:
        values = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise AgentError(400, f"the request body is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise AgentError(400, "the request body must be a JSON object")
    return Fields(values)
