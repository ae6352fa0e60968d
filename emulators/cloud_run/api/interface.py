"""How is a method bound? As its `google.api.http` rule says, in the words of the protos."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from emulators.rpc.method import Message, Method


@dataclass(frozen=True, slots=True)
class Interface:
    """A service of an API by its full name, `google.cloud.run.v2.Services` say."""

    name: str

    def method(
        self,
        request: Any,
        response: Any,
        rule: str,
        handler: Callable[[Message], Awaitable[Message]],
        body: str = "",
    ) -> Method:
        """The method that is named after its request's type; `rule` is verb and path, `GET /v2/{name=...}`."""
        verb, _, path = rule.partition(" ")
        name = request.DESCRIPTOR.name.removesuffix("Request")
        return Method(self.name, name, request, response, verb, path, body, handler)
