"""What is really there? Cloud Run, Cloud Storage and Firestore as Google's own clients show them.

Nothing here asks the product: these are the witnesses of what it claims.
"""

from collections.abc import Sequence
from typing import Any

import httpx2
from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore, run_v2, storage

from demo.story.place import Place

_UID_LABEL = "dormouse-uid"
_CALL_SECONDS = 10


class CloudRun:
    """The services of a workstation, and the instances that the emulator runs for them."""

    def __init__(self, place: Place) -> None:
        self._emulator = place.endpoints["cloud_run"]
        self._parent = f"projects/{place.project}/locations/{place.region}"
        self._services = run_v2.ServicesClient(
            transport="rest",
            credentials=AnonymousCredentials(),
            client_options=ClientOptions(api_endpoint=self._emulator),
        )

    def services_of(self, uid: str) -> list[Any]:
        """The services that bear this uid as their label."""
        listed = self._services.list_services(parent=self._parent, timeout=_CALL_SECONDS)
        return [service for service in listed if service.labels.get(_UID_LABEL) == uid]

    def exists(self, name: str) -> bool:
        """Whether the Admin API knows a service of this full name."""
        try:
            self._services.get_service(name=name, timeout=_CALL_SECONDS)
        except NotFound:
            return False
        return True

    def instances(self, name: str) -> list[dict[str, Any]]:
        """What runs for a service, as the emulator itself says; Google's API shows no instance."""
        service = name.rpartition("/")[2]
        url = f"{self._emulator}/emulator/v1/services/{service}/instances"
        answer = httpx2.get(url, trust_env=False, timeout=_CALL_SECONDS)
        return list(answer.raise_for_status().json()["instances"])


def scaling(service: Any) -> str:
    """A service's scaling in a few words, such as `MANUAL 0` or `AUTOMATIC 1..1`."""
    found = service.scaling
    if found.scaling_mode == run_v2.ServiceScaling.ScalingMode.MANUAL:
        return f"MANUAL {found.manual_instance_count}"
    return f"AUTOMATIC {found.min_instance_count}..{found.max_instance_count}"


class CloudStorage:
    """The saved objects of a workstation."""

    def __init__(self, place: Place) -> None:
        options = ClientOptions(api_endpoint=place.endpoints["cloud_storage"])
        self._client = storage.Client(place.project, AnonymousCredentials(), client_options=options)

    def saved(self, uid: str) -> list[Any]:
        """The objects of one life, the newest last; its uid is a part of their names."""
        blobs = [
            blob
            for bucket in self._client.list_buckets(timeout=_CALL_SECONDS)
            for blob in bucket.list_blobs(timeout=_CALL_SECONDS)
            if f"/{uid}/" in blob.name
        ]
        return sorted(blobs, key=lambda blob: (blob.time_created, blob.name))


class Firestore:
    """The documents about one user."""

    def __init__(self, place: Place) -> None:
        # The client finds the emulator by the environment, which `Place` has set.
        self._client = firestore.Client(place.project)

    def user(self, owner: str) -> dict[str, Any]:
        """The user's totals and caps."""
        return dict(self._client.document("users", owner).get(timeout=_CALL_SECONDS).to_dict())

    def ledger(self, owner: str, uid: str = "") -> list[dict[str, Any]]:
        """The user's closed usage intervals by their start; of one life alone when a uid is given."""
        found = self._of(self._client.collection("ledger"), "owner", owner)
        return sorted((row for row in found if uid in ("", row["uid"])), key=lambda row: row["start"])

    def events(self, workstation: str, uid: str) -> list[dict[str, Any]]:
        """The audit log of one life, in its order."""
        events = self._client.collection("workstations", workstation, "events")
        return sorted(self._of(events, "uid", uid), key=lambda event: int(event["n"]))

    def _of(self, collection: Any, field: str, value: str) -> Sequence[dict[str, Any]]:
        query = collection.where(filter=firestore.FieldFilter(field, "==", value))
        return [document.to_dict() for document in query.stream(timeout=_CALL_SECONDS)]
