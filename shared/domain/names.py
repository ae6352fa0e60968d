"""Names that no two users, projects or lives can share, and that carry no user text."""

import base64
import hashlib
from typing import NewType

from shared.domain.errors import InvalidArgument

WorkstationId = NewType("WorkstationId", str)
ProjectKey = NewType("ProjectKey", str)
Owner = NewType("Owner", str)
Uid = NewType("Uid", str)
"""The random id of one life of a workstation."""

SHARDS = 16
"""So that one `in` query serves all."""


def digest(*parts: str) -> str:
    """20 base32 characters of the SHA-256 of the parts, joined by NUL so that no two tuples meet.

    Raises InvalidArgument for a part that contains NUL itself.
    """
    if any("\0" in part for part in parts):
        raise InvalidArgument("A name cannot contain the NUL character; leave it out.", "NUL_IN_NAME")
    return base64.b32encode(hashlib.sha256("\0".join(parts).encode()).digest()).decode().lower()[:20]


def workstation_id(owner: Owner, project: str, name: str) -> WorkstationId:
    """Where two provisions of one name meet."""
    return WorkstationId(f"ws-{digest(owner, project, name)}")


def project_key(owner: Owner, project: str) -> ProjectKey:
    """Two users' "demo" never meet."""
    return ProjectKey(f"pr-{digest(owner, project)}")


def uid_from(entropy: bytes) -> Uid:
    """A uid from at least 13 random bytes."""
    return Uid(base64.b32encode(entropy).decode().lower()[:20])


def service_name(uid: Uid, k: int) -> str:
    """The k-th Cloud Run service of one life; at most 49 characters."""
    return f"ws-{uid}-{k}"


def region_of(cell: str) -> str:
    """Of `project/region`."""
    return cell.rpartition("/")[2]


def shard_of(key: str) -> int:
    return hashlib.sha256(key.encode()).digest()[0] % SHARDS


def audience(service: str, epoch: int) -> str:
    """What a control-plane token for an agent is made out to: this service, this epoch, nothing else."""
    return f"dormouse://{service}/epochs/{epoch}"
