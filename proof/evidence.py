"""What was found of one workstation: plain values, so that the invariants are functions that anybody can feed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Document = Mapping[str, Any]
Tree = Mapping[str, str]
"""SHA-256 by path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A Cloud Run service as the Admin API shows it."""

    name: str
    scaling: str
    """`MANUAL 0`, `AUTOMATIC 1..1` and so on."""
    epoch: str
    not_after: datetime | None
    labels: Mapping[str, str] = field(default_factory=dict)
    instances: Sequence[str] = ()
    """What the emulator says that it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object of the backup bucket; its bytes are there where the record names it."""

    name: str
    size: int
    crc32c: str
    content: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One life of a workstation, and its owner's money. The owner has no other."""

    uid: str
    record: Document | None
    user: Document | None
    events: Sequence[Document] = ()
    ledger: Mapping[str, Document] = field(default_factory=dict)
    """By the document's id."""
    operations: Mapping[str, Document | None] = field(default_factory=dict)
    """Those that a client was told of, by id; None where there is none."""
    services: Sequence[Service] = ()
    objects: Sequence[StoredObject] = ()
    running: Sequence[str] = ()
    """What runs on this machine for a service of this life, whatever anybody says."""
