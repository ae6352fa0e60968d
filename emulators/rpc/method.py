"""What is a method of an API?  Its messages, its place in REST, and who carries it out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

# Protocol Buffers messages have no static types here.
Message: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Method:
    """One method, bound as `google.api.http` binds it.

    `path` is a template such as `/v2/{parent=projects/*/locations/*}/services`. `body` names the request's field that
    the HTTP body fills, `*` for the whole request, or nothing. `resource` tells faults and logs what a call is about.
    """

    service: str
    name: str
    request: Any
    response: Any
    verb: str
    path: str
    body: str
    handler: Callable[[Message], Awaitable[Message]]

    def resource(self, request: Message) -> str:
        """The name of what the request is about, which a create composes; its parent for a list; empty for none."""
        fields = request.DESCRIPTOR.fields_by_name
        for field in ("name", "resource"):
            if field in fields and (value := getattr(request, field)):
                return str(value)
        parent = str(getattr(request, "parent", ""))
        given = next((field for field in fields if field.endswith("_id")), "")
        if self.name.startswith("Create") and given:
            return f"{parent}/{self.path.rpartition('/')[2]}/{getattr(request, given)}"
        # An update names its resource within the message that it brings, which is the body.
        inner = getattr(request, self.body, None) if self.body not in ("", "*") else None
        return str(getattr(inner, "name", "")) or parent
