"""Every record survives its way into a document and back, and every document has what rules and indexes count on."""

import pickle
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from google.cloud import firestore
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.adapters.firestore import codec
from shared.adapters.firestore.paths import document_id
from shared.adapters.firestore.records import FirestoreRecords
from shared.domain.budget import User
from shared.domain.events import Event
from shared.domain.names import SHARDS, Owner, WorkstationId
from shared.domain.operations import Operation
from shared.domain.rates import Card, rate_for
from shared.domain.sizes import SIZES
from shared.domain.usage import Interval
from shared.domain.workstation import Workstation
from shared.ports import Batch, Request, Stored
from tests.builders import (
    NOW,
    a_ledger_row,
    a_spec,
    a_user,
    a_workstation,
    an_event,
    an_open_interval,
    an_operation,
)
from tests.contracts.whole_records import whole


@given(whole(Workstation))
def test_a_workstation_decodes_to_itself(workstation: Workstation) -> None:
    assert codec.decode_workstation(codec.encode_workstation(workstation)) == workstation


@given(whole(User))
def test_a_user_decodes_to_itself(user: User) -> None:
    assert codec.decode_user(codec.encode_user(user)) == user


@given(whole(Event), st.text())
def test_an_event_decodes_to_itself(event: Event, owner: str) -> None:
    assert codec.decode_event(codec.encode_event(event, Owner(owner))) == event


@given(whole(Interval))
def test_a_ledger_row_decodes_to_itself(interval: Interval) -> None:
    row = a_ledger_row(interval)
    assert codec.decode_ledger_row(codec.encode_ledger_row(row)) == row


@given(whole(Operation), whole(Request))
def test_operations_and_requests_decode_to_themselves(operation: Operation, request: Request) -> None:
    assert codec.decode_operation(codec.encode_operation(operation)) == operation
    assert codec.decode_request(codec.encode_request(request)) == request


@pytest.mark.firestore
def test_firestore_itself_keeps_every_bit_of_any_record(connect: Any) -> None:
    """What the codec alone cannot show: integers of 64 bits, microseconds, empty maps, any text."""
    client = connect()
    records = FirestoreRecords(client)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(whole(Workstation), whole(User))
    def keeps(workstation: Workstation, user: User) -> None:
        fresh = uuid.uuid4().hex
        id_ = WorkstationId(f"ws-{fresh}")
        workstation, user = replace(workstation, id=id_), replace(user, owner=Owner(fresh))
        records.write(Batch(workstation=Stored(workstation, None), user=Stored(user, None)))
        found = records.workstation(id_)
        assert found is not None
        assert found.value == workstation
        assert records.user(user.owner).value == user

    keeps()


@pytest.mark.firestore
def test_no_type_of_the_client_leaves_the_adapter(connect: Any) -> None:
    """Its timestamps are datetimes of another class, which print and pickle differently."""
    records = FirestoreRecords(connect())
    records.write(Batch(workstation=Stored(a_workstation(due_at=NOW), None), event=an_event()))
    found = records.workstation(a_workstation().id)
    assert found is not None
    [event] = records.events(found.value.id, found.value.uid)
    assert b"google" not in pickle.dumps((found.value, event))


def test_every_document_has_its_owner() -> None:
    workstation = a_workstation()
    documents = [
        codec.encode_workstation(workstation),
        codec.encode_user(a_user()),
        codec.encode_event(an_event(), workstation.owner),
        codec.encode_ledger_row(a_ledger_row()),
        codec.encode_operation(an_operation()),
    ]
    assert [document["owner"] for document in documents] == ["ada"] * 5


def test_a_workstations_document_has_the_names_that_the_design_gives_it() -> None:
    """Clients and indexes read them: renaming one is a migration, not an edit."""
    document = codec.encode_workstation(a_workstation(spec=a_spec(idle_timeout=timedelta(seconds=1.5))))
    assert set(document) >= {
        *("uid", "owner", "k", "project", "projectKey", "name", "template", "size", "image", "env", "port"),
        *("priority", "cell", "serviceName", "uri", "state", "reason", "epoch", "bootId", "stateTime"),
        *("sessionStart", "lastActivity", "dueAt", "shard", "deadline", "notAfter", "holdUntil", "backup"),
        *("rate", "openInterval", "eventSeq", "eventHash", "createTime", "updateTime", "deleteTime"),
    }
    assert document["dueAt"] is None
    assert document["shard"] in range(SHARDS)
    assert document["idleTimeout"] == 1_500_000
    assert set(document["lastActivity"]) == {"time", "source", "cause"}


def test_a_document_of_another_revision_is_read_without_what_it_lacks_or_has_too_much() -> None:
    document = codec.encode_workstation(a_workstation(message="lost")) | {"later": 1}
    del document["message"]
    assert codec.decode_workstation(document) == a_workstation()


@pytest.mark.parametrize(("card", "fee"), [(Card.FLAT, 0), (Card.LIST, 400_000)])
def test_a_record_from_before_requests_had_a_fee_pays_what_its_card_asks(card: Card, fee: int) -> None:
    """Its open interval as well; what was counted of it, and reserved for it, is nothing yet."""
    before = a_workstation(rate=rate_for(card, SIZES["light"], "europe-west1"), interval=an_open_interval())
    document = codec.encode_workstation(before)
    del document["tallies"], document["rate"]["requests"]
    for name in ("fee", "requests", "earlierRequests"):
        del document["openInterval"][name]

    found = codec.decode_workstation(document)
    assert (found.rate.requests, found.tallies) == (fee, ())
    assert found.interval
    assert (found.interval.fee, found.interval.requests, found.interval.session_requests) == (fee, 0, 0)


@pytest.mark.parametrize("key", ["ada", "a b", "Ада", "...", "__", "_a_", "x" * 1500, "a\nb"])
def test_a_lawful_key_is_its_own_document_id(key: str) -> None:
    assert document_id(key) == key


@pytest.mark.parametrize(
    "key", ["", "/", "a/b", ".", "..", "____", "__a__", "__a\nb__", "~", "~ada", "я" * 751]
)
def test_an_unlawful_key_gets_an_id_that_no_other_key_has(key: str) -> None:
    made = document_id(key)
    assert made.startswith("~")
    assert "/" not in made
    assert document_id(made) != made
    assert made != document_id(key + "x")


@pytest.mark.firestore
def test_an_environment_may_name_what_firestore_reserves(connect: Any) -> None:
    """The reason why `env` is a list; the same names as keys of a map are refused."""
    client = connect()
    with pytest.raises(Exception, match="reserved"):
        client.document("workstations/x").create({"env": {"__x__": "1"}})
    records = FirestoreRecords(client)
    workstation = a_workstation(spec=a_spec(env={"__x__": "1"}))
    records.write(Batch(workstation=Stored(workstation, None)))
    assert isinstance(client, firestore.Client)
