"""Tokens end by the emulator's clock, and signing fails when a rule says so; workstations reach neither."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest

EMAIL = "dormouse-api@demo-dormouse.iam.gserviceaccount.com"


class Controlled:
    """An identity emulator with a port for its clock and faults."""

    def __init__(self, port: int, metadata_port: int, control_port: int) -> None:
        self.url, self._control = (f"http://127.0.0.1:{number}" for number in (port, control_port))
        self._metadata = f"http://127.0.0.1:{metadata_port}"

    def token(self) -> str:
        path = "computeMetadata/v1/instance/service-accounts/default/token"
        flavor = {"Metadata-Flavor": "Google"}
        answer = httpx2.get(f"{self._metadata}/{path}", headers=flavor, trust_env=False)
        return str(answer.json()["access_token"])

    def control(self, path: str, document: object) -> None:
        url = f"{self._control}/emulator/v1/{path}"
        httpx2.post(url, json=document, trust_env=False).raise_for_status()

    def sign(self, token: str) -> int:
        answer = httpx2.post(
            f"{self.url}/v1/projects/-/serviceAccounts/{EMAIL}:signBlob",
            json={"payload": "eA=="},
            headers={"Authorization": f"Bearer {token}"},
            trust_env=False,
        )
        return answer.status_code


@pytest.fixture(scope="module")
def controlled(
    processes: Any, free_port: Callable[[], int], tmp_path_factory: pytest.TempPathFactory
) -> Controlled:
    port, metadata, control = free_port(), free_port(), free_port()
    state = str(tmp_path_factory.mktemp("controlled"))
    flags = ["--state", state, "--project", "demo-dormouse", "--account", f"{EMAIL}={metadata}"]
    processes.start("emulators.identity", port, *flags, "--control-port", str(control))
    return Controlled(port, metadata, control)


def test_an_access_token_ends_when_its_hour_is_over(controlled: Controlled) -> None:
    token = controlled.token()
    assert controlled.sign(token) == 200
    controlled.control("clock:advance", {"seconds": 3601})
    assert controlled.sign(token) == 401
    assert controlled.sign(controlled.token()) == 200


def test_signing_fails_or_goes_unanswered_as_asked(controlled: Controlled) -> None:
    token = controlled.token()
    busy = {"name": "busy", "effect": "error", "code": "RESOURCE_EXHAUSTED", "times": 1}
    controlled.control("faults", busy | {"method": "iamcredentials.*.signBlob", "resource": EMAIL})
    assert [controlled.sign(token), controlled.sign(token)] == [429, 200]
    controlled.control("faults", {"name": "gone", "effect": "drop", "times": 1})
    with pytest.raises(httpx2.HTTPError):
        controlled.sign(token)
    assert controlled.sign(token) == 200


@pytest.mark.parametrize("path", ["clock", "faults"])
def test_the_port_that_workstations_reach_has_no_control(controlled: Controlled, path: str) -> None:
    """A tenant moves no clock."""
    answer = httpx2.get(f"{controlled.url}/emulator/v1/{path}", trust_env=False)
    assert answer.status_code == 404
