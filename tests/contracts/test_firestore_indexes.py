"""The emulator runs a query whose index is missing; production refuses it. So the file is held against the queries."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.firestore import codec, queries
from shared.adapters.firestore.paths import LEDGER, USERS, WORKSTATIONS, Paths
from shared.domain.names import SHARDS
from tests.builders import (
    ADA,
    NOW,
    UID,
    a_ledger_row,
    a_request,
    a_user,
    a_workstation,
    an_event,
    an_operation,
)

FILE = json.loads((Path(__file__).parents[2] / "firestore.indexes.json").read_text())
EQUALITIES = ("EQUAL", "IN")
MOST_DISJUNCTIONS = 30

Index = tuple[str, frozenset[str], tuple[str, ...]]


@pytest.fixture
def every_query(connect: Any) -> list[Any]:
    paths = Paths(connect())
    return [
        queries.due(paths.collection(WORKSTATIONS), NOW, 9),
        queries.due(paths.collection(USERS), NOW, 9),
        *(
            queries.listed(paths.collection(WORKSTATIONS), ADA, project, 9, after)
            for project in (None, "demo")
            for after in (None, "ws-a")
        ),
        queries.life(paths.events(a_workstation().id), UID),
        queries.booked(paths.collection(LEDGER), ADA, NOW, NOW),
    ]


def filters_of(wire: Any) -> list[Any]:
    parts = wire.where.composite_filter.filters
    return [part.field_filter for part in parts] or [wire.where.field_filter]


def needed(query: Any) -> Index:
    """The composite index that serves a query: what it holds equal, in any order, then what it sorts by."""
    wire = query._to_protobuf()
    equal = frozenset(each.field.field_path for each in filters_of(wire) if each.op.name in EQUALITIES)
    return wire.from_[0].collection_id, equal, tuple(order.field.field_path for order in wire.order_by)


def serves(index: dict[str, Any], need: Index) -> bool:
    group, equal, order = need
    paths = [field["fieldPath"] for field in index["fields"]]
    assert all(field["order"] == "ASCENDING" for field in index["fields"])
    return (
        index["collectionGroup"] == group
        and index["queryScope"] == "COLLECTION"
        and frozenset(paths[: len(equal)]) == equal
        and tuple(paths[len(equal) :]) == order
    )


def test_every_query_has_its_index_and_every_index_its_query(every_query: list[Any]) -> None:
    needs = {needed(query) for query in every_query}
    assert [need for need in needs if not any(serves(index, need) for index in FILE["indexes"])] == []
    assert [index for index in FILE["indexes"] if not any(serves(index, need) for need in needs)] == []


def test_no_query_compares_with_more_values_than_firestore_takes(every_query: list[Any]) -> None:
    for query in every_query:
        values = [len(each.value.array_value.values) or 1 for each in filters_of(query._to_protobuf())]
        assert max(values) <= MOST_DISJUNCTIONS
    assert SHARDS <= MOST_DISJUNCTIONS


def exempt(group: str) -> set[str]:
    return {each["fieldPath"] for each in FILE["fieldOverrides"] if each["collectionGroup"] == group}


def test_what_grows_with_the_clock_or_is_long_is_not_indexed_by_itself() -> None:
    """A sequential value in an index limits its collection to 500 writes a second; the sharded index does not."""
    assert exempt("workstations") >= {"lastActivity", "updateTime", "dueAt", "env"}
    assert exempt("users") >= {"dueAt", "days", "months", "reservations"}
    assert all(each["indexes"] == [] for each in FILE["fieldOverrides"])


def test_every_exemption_names_a_field_that_is_written() -> None:
    workstation = a_workstation()
    documents = {
        "workstations": codec.encode_workstation(workstation),
        "users": codec.encode_user(a_user()),
        "events": codec.encode_event(an_event(), ADA),
        "ledger": codec.encode_ledger_row(a_ledger_row()),
        "operations": codec.encode_operation(an_operation()),
        "requests": codec.encode_request(a_request()),
    }
    for override in FILE["fieldOverrides"]:
        assert override["fieldPath"] in documents[override["collectionGroup"]]


def test_requests_end_by_their_expire_time() -> None:
    assert [each for each in FILE["fieldOverrides"] if each.get("ttl")] == [
        {"collectionGroup": "requests", "fieldPath": "expireTime", "ttl": True, "indexes": []}
    ]
