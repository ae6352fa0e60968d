"""What is a job called, and where does it live?  `projects/P/locations/L/jobs/J`."""

import re
from uuid import uuid4

from emulators.errors import ApiError, Code

_LOCATION = r"projects/[A-Za-z0-9.:-]+/locations/[a-z0-9-]+"
_PARENT = re.compile(_LOCATION)
_JOB = re.compile(rf"({_LOCATION})/jobs/[A-Za-z0-9_-]{{1,500}}")
_FORMAT = 'Job name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/jobs/<JOB_ID>".'


class Places:
    """The locations there are: a single one, or without a name any."""

    def __init__(self, only: str = "") -> None:
        self._only = only

    def check_parent(self, parent: str) -> str:
        """The location itself; raises INVALID_ARGUMENT for what is none."""
        if not _PARENT.fullmatch(parent):
            message = 'Parent must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>".'
            raise ApiError(Code.INVALID_ARGUMENT, message, "parent")
        self._check(parent.rpartition("/")[2], "parent")
        return parent

    def check_job(self, name: str, field: str = "name") -> str:
        """The job's name itself; raises INVALID_ARGUMENT for what is none."""
        found = _JOB.fullmatch(name)
        if found is None:
            raise ApiError(Code.INVALID_ARGUMENT, _FORMAT, field)
        self._check(found[1].rpartition("/")[2], field)
        return name

    def new_job(self, parent: str, name: str) -> str:
        """The name of a job to be created there: the asked-for one, or a random one when none was asked for."""
        self.check_parent(parent)
        if not name:
            return f"{parent}/jobs/{uuid4().int % 10**20}"
        if self.check_job(name, "job.name").partition("/jobs/")[0] != parent:
            raise ApiError(
                Code.INVALID_ARGUMENT, f"Job name must start with the parent, {parent}.", "job.name"
            )
        return name

    def _check(self, location: str, field: str) -> None:
        if self._only not in ("", location):
            message = f"Location must equal {self._only}: this emulator was started for that one alone."
            raise ApiError(Code.INVALID_ARGUMENT, message, field)


def job_id(name: str) -> str:
    """The last part of a job's name."""
    return name.rpartition("/")[2]
