"""Which document holds what: design section 4, both ways, as plain dicts without any client's types but timestamps.

Every document carries its `owner`, because firestore.rules asks for nothing else. Workstations and users carry the
`shard` that spreads the index of what is due. A workstation's spec lies flat beside its state, and `env` is a list as
in Cloud Run: a user may name a variable `__x__`, which Firestore reserves as the name of a field. A record from before
requests had a fee pays what its card asks for them now.
"""

from collections.abc import Mapping
from typing import Any

from shared.adapters.firestore.fields import Fields, from_fields, to_fields
from shared.domain.budget import User
from shared.domain.events import Event
from shared.domain.names import Owner, WorkstationId, shard_of
from shared.domain.operations import Operation
from shared.domain.rates import request_fee
from shared.domain.usage import Interval
from shared.domain.workstation import Workstation
from shared.ports import LedgerRow, Request

Document = Mapping[str, Any]


def encode_workstation(workstation: Workstation) -> Fields:
    document = to_fields(workstation)
    document |= document.pop("spec")
    document["env"] = [{"name": name, "value": value} for name, value in workstation.spec.env.items()]
    document["openInterval"] = document.pop("interval")
    return document | {"shard": shard_of(workstation.id)}


def decode_workstation(document: Document) -> Workstation:
    spec = {**document, "env": {entry["name"]: entry["value"] for entry in document["env"]}}
    rate = {"requests": request_fee(document["rate"]["card"]), **document["rate"]}
    interval = document["openInterval"] and {"fee": rate["requests"], **document["openInterval"]}
    return from_fields(Workstation, {**document, "spec": spec, "rate": rate, "interval": interval})


def encode_user(user: User) -> Fields:
    return to_fields(user) | {"shard": shard_of(user.owner)}


def decode_user(document: Document) -> User:
    return from_fields(User, document)


def encode_event(event: Event, owner: Owner) -> Fields:
    return to_fields(event) | {"owner": owner}


def decode_event(document: Document) -> Event:
    return from_fields(Event, document)


def encode_ledger_row(row: LedgerRow) -> Fields:
    return to_fields(row.interval) | {
        "owner": row.owner,
        "project": row.project,
        "workstation": row.workstation,
    }


def decode_ledger_row(document: Document) -> LedgerRow:
    return LedgerRow(
        interval=from_fields(Interval, document),
        owner=Owner(document["owner"]),
        project=document["project"],
        workstation=WorkstationId(document["workstation"]),
    )


def encode_operation(operation: Operation) -> Fields:
    return to_fields(operation)


def decode_operation(document: Document) -> Operation:
    return from_fields(Operation, document)


def encode_request(request: Request) -> Fields:
    return to_fields(request)


def decode_request(document: Document) -> Request:
    return from_fields(Request, document)
