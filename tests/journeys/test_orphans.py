"""Services that nobody has a record of: made here by the stock client, as a lost create or another hand would."""

from typing import Any

import pytest

from shared.adapters.cloud_run.client import services_client
from tests.journeys.conftest import Hands, until

pytestmark = [pytest.mark.stack, pytest.mark.firestore]

PARENT = "projects/demo-dormouse/locations/europe-west1"
OFF = {"scaling_mode": "MANUAL", "manual_instance_count": 0}
ON = {"scaling_mode": "AUTOMATIC", "min_instance_count": 1, "max_instance_count": 1}


class Admin:
    """The Admin API as anybody with rights uses it."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._client = services_client(hands.cloud.endpoints["cloud_run"].removeprefix("http://"))

    def make(self, name: str, uid: str, image: str, scaling: dict[str, Any], **labels: str) -> None:
        ours = {"managed-by": "dormouse", "dormouse-environment": "local", "dormouse-uid": uid}
        service = {
            "labels": {**ours, **{key.replace("_", "-"): value for key, value in labels.items()}},
            "scaling": scaling,
            "template": {"containers": [{"image": image}], "service_account": self._runtime},
        }
        self._client.create_service(parent=PARENT, service_id=name, service=service)

    def names(self) -> set[str]:
        return {service.name.rpartition("/")[2] for service in self._client.list_services(parent=PARENT)}

    def get(self, name: str) -> Any:
        return self._client.get_service(name=f"{PARENT}/services/{name}")

    def delete(self, name: str) -> None:
        self._client.delete_service(name=f"{PARENT}/services/{name}")

    @property
    def _runtime(self) -> str:
        return "dormouse-runtime@demo-dormouse.iam.gserviceaccount.com"


@pytest.mark.mission("CLEAN-02")
def test_a_stray_service_is_deleted_and_neither_a_living_nor_a_foreign_one(ada: Hands) -> None:
    id_ = ada.provision("lives-on", idleTimeout="240s", stopTimeout="300s")
    living = ada.service(id_)
    assert living is not None
    image = living["template"]["containers"][0]["image"]
    name, uid = living["name"].rpartition("/")[2], ada.get(id_)["uid"]
    admin = Admin(ada)
    admin.make("stray-at-rest", "straystraystraystray", image, OFF)
    admin.make("stray-running", "runsrunsrunsrunsruns", image, ON)
    admin.make(f"ws-{uid}-0", uid, image, OFF)
    admin.make("foreign", "foreignforeignforeig", image, ON, dormouse_environment="another")
    try:
        until("the running one is stopped at once", lambda: _is_off(admin, "stray-running"))
        until("it is marked first", lambda: "dormouse/orphan-since" in _annotations(admin, "stray-at-rest"))
        strays = {"stray-at-rest", "stray-running", f"ws-{uid}-0"}
        until("all strays are deleted", lambda: not strays & admin.names())

        assert {name, "foreign"} <= admin.names()
        assert "dormouse/orphan-since" not in _annotations(admin, "foreign")
        assert not _is_off(admin, "foreign")
        assert ada.state(id_) == "RUNNING"
        assert len(ada.instances(ada.service(id_) or {})) == 1
    finally:
        admin.delete("foreign")


def _is_off(admin: Admin, name: str) -> bool:
    if name not in admin.names():
        return True
    return bool(admin.get(name).scaling.scaling_mode.name == "MANUAL")


def _annotations(admin: Admin, name: str) -> dict[str, str]:
    """Nothing of one that is gone already: it had its mark."""
    if name not in admin.names():
        return {"dormouse/orphan-since": "gone"}
    return dict(admin.get(name).annotations)
