"""What does a resource name in a request name? Its parts, once it is known to lie in this emulator's place."""

from __future__ import annotations

import re

from emulators.cloud_run.model.errors import invalid
from emulators.cloud_run.model.names import Place

# The wildcard that some collections accept for their parent.
ANY = "-"
_LOCATION = re.compile(r"projects/([^/]+)/locations/([^/]+)")


class Names:
    """Reads the names of one place; each method raises INVALID_ARGUMENT, PERMISSION_DENIED or NOT_FOUND."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def location(self, name: str, field: str = "parent") -> None:
        """`projects/P/locations/L`, which must be here."""
        self._ids(name, field)

    def service(self, name: str, field: str = "name") -> str:
        """The service id of `projects/P/locations/L/services/S`."""
        (service_id,) = self._ids(name, field, "services")
        return service_id

    def revision(self, name: str) -> tuple[str, str]:
        """The service id and the revision id of `projects/P/locations/L/services/S/revisions/R`."""
        service_id, revision_id = self._ids(name, "name", "services", "revisions")
        return service_id, revision_id

    def operation(self, name: str) -> str:
        """The operation id of `projects/P/locations/L/operations/O`."""
        (operation_id,) = self._ids(name, "name", "operations")
        return operation_id

    def _ids(self, name: str, field: str, *collections: str) -> list[str]:
        rest = "".join(f"/{collection}/([^/]+)" for collection in collections)
        found = re.fullmatch(_LOCATION.pattern + rest, name)
        if found is None:
            form = "projects/*/locations/*" + "".join(f"/{collection}/*" for collection in collections)
            raise invalid(field, f"'{name}' is not a name of the form {form}.")
        project, location, *ids = found.groups()
        self._place.require(project, location)
        return ids
