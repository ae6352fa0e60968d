"""Which names are legal, and what do they say?"""

from __future__ import annotations

import re
from dataclasses import dataclass

from emulators.cloud_run.model.errors import invalid, not_found
from emulators.errors import ApiError, Code

_SERVICE_ID = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
MAX_SERVICE_ID = 49


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
    if not _SERVICE_ID.fullmatch(service_id) or len(service_id) > MAX_SERVICE_ID:
        raise invalid(
            "service_id",
            f"Invalid service id '{service_id}': only lowercase letters, digits and hyphens, beginning with a "
            "letter, not ending with a hyphen, fewer than 50 characters.",
        )


def revision_id(service_id: str, number: int, suffix: str) -> str:
    """The generated name of a service's revision."""
    return f"{service_id}-{number:05d}-{suffix}"
