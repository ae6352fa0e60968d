"""One project with our rules and with documents as the product writes them, and a client of Firestore's REST API."""

import base64
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from google.cloud import firestore

from shared.adapters.firestore.records import FirestoreRecords
from shared.domain.names import Owner
from shared.ports import Batch, Stored
from tests.builders import a_request, a_user, a_workstation, an_event, an_interval, an_operation

RULES = Path(__file__).parents[2] / "firestore.rules"
OWNERS = [Owner("ada"), Owner("bob"), Owner("a/b")]


@dataclass(frozen=True)
class Client:
    """What a browser can do; `uid` None is nobody."""

    http: httpx2.Client
    project: str

    def request(self, uid: str | None, method: str, path: str, **options: Any) -> httpx2.Response:
        """Act on a document, or on a collection, by its path in the database."""
        url = f"/v1/projects/{self.project}/databases/(default)/documents{path}"
        return self.http.request(method, url, headers=_authorization(uid), **options)

    def query(
        self, uid: str | None, path: str, owner: str | None, limit: int | None, **from_: Any
    ) -> httpx2.Response:
        """The documents of a collection, filtered by `owner` if given."""
        parent, _, collection = path.rpartition("/")
        query: dict[str, Any] = {"from": [{"collectionId": collection, **from_}]}
        if owner is not None:
            comparison = {"field": {"fieldPath": "owner"}, "op": "EQUAL", "value": {"stringValue": owner}}
            query["where"] = {"fieldFilter": comparison}
        if limit is not None:
            query["limit"] = limit
        return self.request(uid, "POST", f"{parent}:runQuery", json={"structuredQuery": query})


def _authorization(uid: str | None) -> dict[str, str]:
    """The emulator takes unsigned tokens and gives their claims to the rules."""
    if uid is None:
        return {}
    parts = [{"alg": "none", "typ": "JWT"}, {"sub": uid, "user_id": uid, "admin": True, "owner": uid}]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return {"Authorization": f"Bearer {'.'.join(encoded)}."}


@pytest.fixture(scope="module")
def client(firestore_host: str) -> Iterator[Client]:
    with httpx2.Client(base_url=f"http://{firestore_host}", trust_env=False, timeout=30) as http:
        yield Client(http, f"demo-{uuid.uuid4().hex}")


@pytest.fixture(scope="module")
def uploaded(client: Client) -> dict[str, Any]:
    """What the emulator says about our rules, which hold from here on."""
    files = [{"name": RULES.name, "content": RULES.read_text()}]
    answer = client.http.put(
        f"/emulator/v1/projects/{client.project}:securityRules", json={"rules": {"files": files}}
    )
    answer.raise_for_status()
    return dict(answer.json())


@pytest.fixture(scope="module", autouse=True)
def seeded(client: Client, uploaded: dict[str, Any], firestore_host: str) -> None:
    """Each owner's whole set of documents, written by the product itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FIRESTORE_EMULATOR_HOST", firestore_host)
        server = firestore.Client(project=client.project)
    records = FirestoreRecords(server)
    for number, owner in enumerate(OWNERS):
        records.write(
            Batch(
                workstation=Stored(a_workstation(owner=owner), None),
                user=Stored(a_user(owner), None),
                event=an_event(),
                intervals=[an_interval(n=number)],
                operations=[an_operation(id=f"op-{owner}", owner=owner)],
                request=a_request(key=f"key-{owner}", owner=owner),
            )
        )
    server.close()
