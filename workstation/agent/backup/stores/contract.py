"""Where do the objects of a backup lie? As a contract: a bucket by grants, or a directory."""

from collections.abc import Iterator
from typing import Protocol


class Store(Protocol):
    """Objects by name, written once and never changed. Blocking, and safe to use from several threads."""

    def put(self, name: str, content: bytes) -> None:
        """Create an object, durable when this returns.

        One that is there with the same content already is done: an answer may have been lost. Raises
        NameTakenError where another content is there, StoreUnreachableError, GrantRefusedError.
        """

    def get(self, name: str, most: int) -> Iterator[bytes]:
        """Yield the content in pieces of at most 1 MiB, `most` bytes and one piece at most.

        Raises NoObjectError, StoreUnreachableError, GrantRefusedError.
        """


class Listing(Protocol):
    """A store whose objects can be listed; agents never can."""

    def names(self) -> Iterator[tuple[str, int]]:
        """Yield (name, size) of every object, in the order of the names."""
