"""By which number is a project known?  Derived from its id, so that every emulator says the same."""

from hashlib import sha256

_DIGITS = 12


def project_number(project_id: str) -> str:
    """The project's number: 12 digits."""
    return number_of(project_id, _DIGITS)


def number_of(name: str, length: int) -> str:
    """A number of so many digits that is the same for the same name."""
    return "1" + str(int.from_bytes(sha256(name.encode()).digest()))[: length - 1]
