"""What is really there? Firestore, Cloud Run and Cloud Storage through Google's own clients, and what runs on this machine.

Nothing here asks the product.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import httpx2
from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore, run_v2, storage

from proof.evidence import Document, Evidence, Service, StoredObject
from proof.running import Running
from proof.told import Told

_CALL_SECONDS = 15
_UID = "dormouse-uid"
_EPOCH = "dormouse/epoch"
_NOT_AFTER = "dormouse/not-after"


class Witness:
    """The clients of one local cloud. `endpoints` are its own addresses, not the product's detours."""

    def __init__(
        self, project: str, region: str, bucket: str, endpoints: Mapping[str, str], running: Running
    ) -> None:
        anonymous = AnonymousCredentials()
        self._running = running
        self._emulator = endpoints["cloud_run"]
        self._parent = f"projects/{project}/locations/{region}"
        self._run = run_v2.ServicesClient(
            transport="rest",
            credentials=anonymous,
            client_options=ClientOptions(api_endpoint=endpoints["cloud_run"]),
        )
        options = ClientOptions(api_endpoint=endpoints["cloud_storage"])
        self._bucket = storage.Client(project, anonymous, client_options=options).bucket(bucket)
        # It finds the emulator by the environment.
        self._firestore = firestore.Client(project)

    def look(self, told: Told) -> Evidence:
        """What changes while a story goes on: the record, its log, the money and the services."""
        record = self._document("workstations", told.id)
        return Evidence(
            uid=told.uid,
            record=record if record and record["uid"] == told.uid else None,
            user=self._document("users", told.owner),
            events=self._events(told.id, told.uid),
            ledger=self._ledger(told.owner),
            services=[self._service(found) for found in self._services(told.uid)],
        )

    def find(self, told: Told) -> Evidence:
        """All that there is of one life of a workstation."""
        seen = self.look(told)
        return replace(
            seen,
            operations={name: self._document("operations", name) for name in told.operations},
            objects=list(self._objects(told.uid, (seen.record or {}).get("backup"))),
            running=self._running.of(told.uid),
        )

    def _services(self, uid: str) -> list[Any]:
        listed = self._run.list_services(parent=self._parent, timeout=_CALL_SECONDS)
        return [service for service in listed if service.labels.get(_UID) == uid]

    def _service(self, found: Any) -> Service:
        not_after = found.annotations.get(_NOT_AFTER)
        return Service(
            name=found.name.rpartition("/")[2],
            scaling=scaling(found),
            epoch=found.annotations.get(_EPOCH, ""),
            not_after=datetime.fromisoformat(not_after) if not_after else None,
            labels=dict(found.labels),
            instances=self._instances(found.name.rpartition("/")[2]),
        )

    def _instances(self, service: str) -> list[str]:
        url = f"{self._emulator}/emulator/v1/services/{service}/instances"
        answer = httpx2.get(url, trust_env=False, timeout=_CALL_SECONDS)
        if answer.status_code == httpx2.codes.NOT_FOUND:
            return []
        return [str(one["id"]) for one in answer.raise_for_status().json()["instances"]]

    def _objects(self, uid: str, backup: Document | None) -> Iterable[StoredObject]:
        for blob in self._bucket.list_blobs(timeout=_CALL_SECONDS):
            if f"/{uid}/" not in blob.name:
                continue
            content = None
            if backup and blob.name == backup["objectName"]:
                try:
                    content = blob.download_as_bytes(raw_download=True, checksum=None, timeout=_CALL_SECONDS)
                except NotFound:
                    continue
            yield StoredObject(name=blob.name, size=blob.size, crc32c=blob.crc32c, content=content)

    def _document(self, collection: str, id_: str) -> Document | None:
        found = self._firestore.document(collection, id_).get(timeout=_CALL_SECONDS).to_dict()
        return dict(found) if found is not None else None

    def _events(self, id_: str, uid: str) -> list[Document]:
        events = self._firestore.collection("workstations", id_, "events")
        found = events.where(filter=firestore.FieldFilter("uid", "==", uid)).stream(timeout=_CALL_SECONDS)
        return sorted((event.to_dict() for event in found), key=lambda event: int(event["n"]))

    def _ledger(self, owner: str) -> dict[str, Document]:
        rows = self._firestore.collection("ledger").where(filter=firestore.FieldFilter("owner", "==", owner))
        return {row.id: row.to_dict() for row in rows.stream(timeout=_CALL_SECONDS)}


def scaling(service: Any) -> str:
    """A service's scaling in a few words, such as `MANUAL 0` or `AUTOMATIC 1..1`."""
    found = service.scaling
    if found.scaling_mode == run_v2.ServiceScaling.ScalingMode.MANUAL:
        return f"MANUAL {found.manual_instance_count}"
    return f"AUTOMATIC {found.min_instance_count}..{found.max_instance_count}"
