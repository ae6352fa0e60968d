"""One local cloud with short timers for all journeys, and a user's hands on it."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from websockets.sync.client import ClientConnection, connect

from emulators.stack import LocalCloud, Options

PATIENCE = 90.0
IDLE_SECONDS = 8
STOP_SECONDS = 16

SETTINGS = {
    "AUTO_IDLE_MINUTES": f"{IDLE_SECONDS / 60}",
    "AUTO_STOP_MINUTES": f"{STOP_SECONDS / 60}",
    "RESERVE_MINUTES": "1",
    "RESERVE_MINIMUM_MINUTES": "0.4",
}


def until(what: str, is_so: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """What `is_so` gives once it is true; fails with the last thing seen after `patience` seconds."""
    end = time.monotonic() + patience
    while not (seen := is_so()):
        if time.monotonic() > end:
            pytest.fail(f"{what}: not within {patience:.0f} s")
        time.sleep(0.25)
    return seen


@dataclass
class Hands:
    """One user of the local cloud."""

    cloud: LocalCloud
    uid: str

    @property
    def auth(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.cloud.id_token(self.uid)}"}

    def api(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        return httpx2.request(
            method, self.cloud.endpoints["api"] + path, json=body, headers=self.auth, timeout=60
        )

    def inside(self, id_: str, method: str, path: str, **more: Any) -> httpx2.Response:
        """Through the gateway."""
        url = f"{self.cloud.endpoints['gateway']}/w/{id_}{path}"
        return httpx2.request(method, url, headers=self.auth, timeout=90, **more)

    def provision(self, name: str, **wish: Any) -> str:
        begun = self.api("POST", "/v1/workstations", {"project": "journeys", "name": name, **wish}).json()
        done = self.api("POST", f"/v1/{begun['name']}:wait", {}).json()
        assert done["response"]["state"] == "RUNNING", done
        return str(done["response"]["id"])

    def get(self, id_: str) -> dict[str, Any]:
        return dict(self.api("GET", f"/v1/workstations/{id_}").json())

    def state(self, id_: str) -> str:
        return str(self.get(id_)["state"])

    def becomes(self, id_: str, state: str, patience: float = PATIENCE) -> dict[str, Any]:
        until(f"{id_} becomes {state}", lambda: self.state(id_) == state, patience)
        return self.get(id_)

    def run(self, id_: str, command: str) -> tuple[str, int]:
        """What a command printed, and its exit code."""
        answer = self.inside(id_, "POST", "/-/exec", json={"command": command})
        assert answer.status_code == 200, answer.text
        lines = [json.loads(line) for line in answer.text.splitlines()]
        return "".join(line.get("data", "") for line in lines), lines[-1]["exitCode"]

    def terminal(self, id_: str, **query: Any) -> ClientConnection:
        """A terminal's socket."""
        arguments = "&".join(f"{name}={value}" for name, value in query.items())
        url = f"{self.cloud.endpoints['gateway'].replace('http', 'ws', 1)}/w/{id_}/-/terminal?{arguments}"
        return connect(url, additional_headers=self.auth, open_timeout=60)

    def service(self, id_: str) -> dict[str, Any] | None:
        """The workstation's service as the Cloud Run emulator has it."""
        uid = self.get(id_).get("uid", "")
        root = (
            f"{self.cloud.endpoints['cloud_run']}/v2/projects/demo-dormouse/locations/europe-west1/services"
        )
        found = httpx2.get(root, timeout=10).json().get("services", [])
        return next((service for service in found if service["labels"].get("dormouse-uid") == uid), None)

    def instances(self, service: dict[str, Any]) -> list[dict[str, Any]]:
        name = service["name"].rsplit("/", 1)[1]
        url = f"{self.cloud.endpoints['cloud_run']}/emulator/v1/services/{name}/instances"
        return list(httpx2.get(url, timeout=10).json()["instances"])


@pytest.fixture(scope="package")
def cloud(tmp_path_factory: pytest.TempPathFactory, runtime: str) -> Iterator[LocalCloud]:
    options = Options(
        state=tmp_path_factory.mktemp("journeys") / "stack",
        settings=SETTINGS,
        minute_seconds=2,
        workstation=False,
        ephemeral=True,
        any_free_ports=True,
        runtime=runtime,
    )
    with LocalCloud(options) as cloud:
        yield cloud


@pytest.fixture
def ada(cloud: LocalCloud) -> Hands:
    return Hands(cloud, "ada")


@pytest.fixture
def grace(cloud: LocalCloud) -> Hands:
    return Hands(cloud, "grace")
