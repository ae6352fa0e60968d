"""What does the control plane grant? Names of one object to read or write, for a short while."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Grant:
    """A permission to read or write one object; the URL is a credential and is shown nowhere."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Backup:
    """What is to be loaded: the grant, and what its bytes must be."""

    grant: Grant
    sha256: str
    size: int
