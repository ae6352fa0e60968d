"""Which service accounts exist, and by which numbers are they known?

Numbers are derived from names, so that they are the same in every run.
"""

import re
from dataclasses import dataclass

from emulators.projects import number_of, project_number

_EMAIL = re.compile(r"[a-z0-9][a-z0-9-]*@[a-z0-9][a-z0-9.-]*\.gserviceaccount\.com")


@dataclass(frozen=True, slots=True)
class Project:
    """The Google Cloud project and region that the metadata servers speak of."""

    id: str
    region: str

    @property
    def number(self) -> str:
        """The project's number: 12 digits."""
        return project_number(self.id)


@dataclass(frozen=True, slots=True)
class Account:
    """A service account and the port of its metadata server."""

    email: str
    metadata_port: int

    @property
    def unique_id(self) -> str:
        """The account's number, the ``sub`` of its tokens: 21 digits."""
        return number_of(self.email, 21)


def parse_account(text: str) -> Account:
    """Read ``EMAIL=PORT``; raises ValueError with what is wrong."""
    email, separator, port = text.rpartition("=")
    if not separator or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is not EMAIL=PORT")
    if not _EMAIL.fullmatch(email):
        raise ValueError(f"{email!r} is not a service account: NAME@PROJECT.iam.gserviceaccount.com")
    return Account(email, int(port))
