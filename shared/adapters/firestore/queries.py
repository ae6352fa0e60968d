"""Which queries are there? Built, never run; each has its composite index in firestore.indexes.json.

The emulator runs a query without its index and production refuses it, so a test holds the two together.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from google.cloud.firestore_v1.base_query import And, FieldFilter

from shared.domain.names import SHARDS, Owner, Uid
from shared.domain.states import State

MOST_VALUES = 30
"""So many values Firestore compares with in one query."""

_LISTED = [state.value for state in State if state is not State.DELETED]


def due(collection: Any, now: datetime, limit: int) -> Any:
    """Documents with `dueAt` <= now, the longest due first, each with its `owner` alone; null is never due."""
    shards = FieldFilter("shard", "in", list(range(SHARDS)))
    overdue = FieldFilter("dueAt", "<=", now)
    return collection.where(filter=And([shards, overdue])).order_by("dueAt").limit(limit).select(["owner"])


def listed(collection: Any, owner: Owner, project: str | None, limit: int, after: str | None) -> Any:
    """The owner's workstations that are not DELETED, by id, from beyond `after` on."""
    filters = [FieldFilter("owner", "==", owner), FieldFilter("state", "in", _LISTED)]
    if project is not None:
        filters.append(FieldFilter("project", "==", project))
    if after is not None:
        filters.append(FieldFilter("id", ">", after))
    return collection.where(filter=And(filters)).order_by("id").limit(limit)


def lives(collection: Any, uids: Sequence[Uid]) -> Any:
    """The workstations that bear one of at most MOST_VALUES uids; the automatic index of the field serves it."""
    return collection.where(filter=FieldFilter("uid", "in", list(uids)))


def life(events: Any, uid: Uid) -> Any:
    """The events of one life, in order."""
    return events.where(filter=FieldFilter("uid", "==", uid)).order_by("n")


def booked(collection: Any, owner: Owner, start: datetime, end: datetime) -> Any:
    """The owner's ledger rows that start in [start, end), by start."""
    filters = [
        FieldFilter("owner", "==", owner),
        FieldFilter("start", ">=", start),
        FieldFilter("start", "<", end),
    ]
    return collection.where(filter=And(filters)).order_by("start")
