"""Which names are legal, and what do they say?"""

from __future__ import annotations

import re
from dataclasses import dataclass

from emulators.cloud_run.model.errors import invalid, not_found
from emulators.cloud_run.model.violations import Violations
from emulators.errors import ApiError, Code

_ID = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
MAX_SERVICE_ID = 49
MAX_REVISION_ID = 63


@dataclass(frozen=True, slots=True)
class Place:
    """The one project and location that this emulator serves."""

    project: str
    location: str

    @property
    def parent(self) -> str:
        """The parent of every service: `projects/P/locations/L`."""
        return f"projects/{self.project}/locations/{self.location}"

    def service(self, service_id: str) -> str:
        """The full name of a service."""
        return f"{self.parent}/services/{service_id}"

    def operation(self, operation_id: str) -> str:
        """The full name of an operation."""
        return f"{self.parent}/operations/{operation_id}"

    def require(self, project: str, location: str) -> None:
        """Refuse what lives elsewhere: 400 for the wildcard, 403 for another project, 404 for another region."""
        if location == "-":
            raise invalid("parent", "The location '-' is not supported here; name one location.")
        if project != self.project:
            message = f"Permission denied on project '{project}': this emulator serves '{self.project}'."
            raise ApiError(Code.PERMISSION_DENIED, message)
        if location != self.location:
            raise not_found(f"projects/{project}/locations/{location}")


def require_service_id(service_id: str) -> None:
    """A service id begins with a letter, does not end with a hyphen and has fewer than 50 characters."""
    if not _ID.fullmatch(service_id) or len(service_id) > MAX_SERVICE_ID:
        raise invalid(
            "service_id",
            f"Invalid service id '{service_id}': only lowercase letters, digits and hyphens, beginning with a "
            "letter, not ending with a hyphen, fewer than 50 characters.",
        )


def check_revision_id(revision: str, service_id: str, found: Violations) -> None:
    """A revision that a caller names begins with its service's id and a hyphen, and has fewer than 64 characters."""
    if not revision.startswith(f"{service_id}-"):
        found.add(
            "template.revision",
            "The revision name must be prefixed by the name of the enclosing Service with a trailing -: "
            f"'{service_id}-'.",
        )
    if not _ID.fullmatch(revision) or len(revision) > MAX_REVISION_ID:
        found.add(
            "template.revision",
            f"'{revision}' must hold only lowercase letters, digits and hyphens, begin with a letter, not end with "
            f"a hyphen, and be shorter than {MAX_REVISION_ID + 1} characters.",
        )


def revision_id(service_id: str, number: int, suffix: str) -> str:
    """The generated name of a service's revision."""
    return f"{service_id}-{number:05d}-{suffix}"
