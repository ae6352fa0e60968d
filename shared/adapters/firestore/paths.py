"""Where does each document lie? The collections of design section 4, and a lawful document id for every key.

A key that Firestore takes as a document id is its own id, so that people find `users/{owner}` by eye. One that it
does not take (empty, with a `/`, `.`, `..`, `__x__`, too long) becomes `~` and its digest; so does one that begins
with `~`, and therefore no two keys ever share a document. Whose it is stands in the document's `owner`, never in
its path alone.
"""

import re
from typing import Any

from shared.domain.names import Owner, Uid, WorkstationId, digest

WORKSTATIONS = "workstations"
EVENTS = "events"
USERS = "users"
LEDGER = "ledger"
OPERATIONS = "operations"
REQUESTS = "requests"

_LONGEST_ID = 1500
_NOT_AN_ID = re.compile(r"|\.|\.\.|__.*__|~.*|.*/.*", re.DOTALL)


def document_id(key: str) -> str:
    """`key` itself where it may be a document id, else one made from its digest."""
    if _NOT_AN_ID.fullmatch(key) or len(key.encode()) > _LONGEST_ID:
        return f"~{digest(key)}"
    return key


class Paths:
    """References to documents and collections of one database."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def collection(self, name: str) -> Any:
        return self._client.collection(name)

    def workstation(self, id_: WorkstationId) -> Any:
        return self._document(WORKSTATIONS, id_)

    def events(self, id_: WorkstationId) -> Any:
        return self.workstation(id_).collection(EVENTS)

    def event(self, id_: WorkstationId, uid: Uid, n: int) -> Any:
        return self.events(id_).document(f"{uid}-{n}")

    def user(self, owner: Owner) -> Any:
        return self._document(USERS, owner)

    def ledger_row(self, id_: str) -> Any:
        return self._document(LEDGER, id_)

    def operation(self, id_: str) -> Any:
        return self._document(OPERATIONS, id_)

    def request(self, key: str) -> Any:
        return self._document(REQUESTS, key)

    def _document(self, collection: str, key: str) -> Any:
        return self._client.collection(collection).document(document_id(key))
