"""What is wrong with a request? Every bad field of it, gathered and then told at once, as a google.rpc.BadRequest.

Cloud Run writes a violation as `Violation in CreateServiceRequest.service.template.timeout: ...`, and so do we.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from emulators.errors import ApiError, Code

_T = TypeVar("_T")
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"


class Violations:
    """The violations of the message at `path`; those within it are gathered in the same place."""

    def __init__(self, path: str, whole: Violations | None = None) -> None:
        self._path = path
        self._illegal: list[tuple[str, str]] = [] if whole is None else whole._illegal
        self._lacking: list[tuple[str, str]] = [] if whole is None else whole._lacking

    def within(self, field: str) -> Violations:
        """The violations of a part, such as `template.containers[0]`."""
        return Violations(f"{self._path}.{field}", self)

    def add(self, field: str, message: str) -> None:
        """Cloud Run refuses the field; an empty name is the message itself."""
        self._illegal.append((self._named(field), message))

    def lack(self, field: str, message: str) -> None:
        """Cloud Run has it, this emulator does not."""
        self._lacking.append((self._named(field), message))

    def read(self, field: str, read: Callable[[str], _T], text: str) -> _T | None:
        """What `read` makes of the text; its ValueError is a violation of the field."""
        try:
            return read(text)
        except ValueError as error:
            self.add(field, str(error))
            return None

    def settle(self) -> None:
        """Raise INVALID_ARGUMENT with all that is illegal; where nothing is, UNIMPLEMENTED with all that is lacking."""
        if self._illegal:
            raise _refusal(Code.INVALID_ARGUMENT, "Violation in ", self._illegal)
        if self._lacking:
            raise _refusal(Code.UNIMPLEMENTED, "Not emulated: ", self._lacking)

    def _named(self, field: str) -> str:
        return f"{self._path}.{field}" if field else self._path


def _refusal(code: Code, lead: str, found: list[tuple[str, str]]) -> ApiError:
    described = [{"field": f"{lead}{field}", "description": message} for field, message in found]
    text = " ".join(f"{violation['field']}: {violation['description']}" for violation in described)
    return ApiError(code, text, details=({"@type": _BAD_REQUEST, "fieldViolations": described},))
