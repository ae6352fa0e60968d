"""The invoker check: Cloud Run's 401 and 403, before any instance starts, and no token for the container."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.emulators.cloud_run.driver import Emulator, a_service, automatic, http, running
from tests.emulators.cloud_run.id_tokens import (
    FOREIGN_KEY,
    GATEWAY,
    Certificates,
    certificates,
    serverless,
    token,
)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator that lets only the gateway's account in."""
    flags = ("--invoker", GATEWAY, "--keys")
    with certificates() as keys, running(tmp_path_factory.mktemp("guarded"), *flags, keys) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def uri(guarded: Emulator) -> str:
    guarded.create("private")
    return guarded.scale("private", automatic(0, 1)).uri


REFUSED = {
    "no token": (403, lambda _: {}),
    "not bearer": (403, lambda _: {"Authorization": "Basic abc"}),
    "not a token": (401, lambda _: serverless("abc")),
    "foreign key": (401, lambda uri: serverless(token(uri, key=FOREIGN_KEY))),
    "unknown key id": (401, lambda uri: serverless(token(uri, kid="two"))),
    "unsigned": (401, lambda uri: serverless(token(uri, key=None, algorithm="none"))),
    "symmetric": (401, lambda uri: serverless(token(uri, key="s" * 64, algorithm="HS256"))),
    "expired": (401, lambda uri: serverless(token(uri, exp=int(time.time()) - 1))),
    "other service": (401, lambda _: serverless(token("http://127.0.0.1:1"))),
    "other issuer": (401, lambda uri: serverless(token(uri, iss="https://securetoken.google.com/x"))),
    "other account": (403, lambda uri: serverless(token(uri, email="somebody@example.com"))),
    "unverified": (403, lambda uri: serverless(token(uri, email_verified=False))),
    "no expiry": (401, lambda uri: serverless(token(uri, exp=None))),
}


@pytest.mark.parametrize("case", REFUSED)
def test_others_are_refused_and_start_nothing(guarded: Emulator, case: str) -> None:
    """A refused request costs nothing: no instance, no thaw."""
    if "asleep" not in known(guarded):
        guarded.create("asleep")
        guarded.scale("asleep", automatic(0, 1))
    uri = guarded.get("asleep").uri
    code, headers = REFUSED[case]
    answer = http.get(uri, headers=headers(uri))
    assert answer.status_code == code, answer.text
    assert (code == 401) == ("www-authenticate" in answer.headers)
    with pytest.raises(InvalidStatus) as caught:
        connect(f"{uri.replace('http', 'ws')}/talk", additional_headers=headers(uri))
    assert caught.value.response.status_code == code
    assert guarded.observed("asleep") == {"instances": [], "exits": [], "requestsWaiting": 0}


def known(emulator: Emulator) -> set[str]:
    parent = emulator.name("x").rpartition("/services/")[0]
    return {service.name.rpartition("/")[2] for service in emulator.client.list_services(parent=parent)}


def test_the_serverless_header_lets_in_and_never_reaches_the_container(uri: str) -> None:
    headers = serverless(token(uri)) | {"Authorization": "Bearer the-user's-own"}
    seen = dict(http.get(uri, headers=headers).json()["headers"])
    assert "x-serverless-authorization" not in seen
    assert seen["authorization"] == "Bearer the-user's-own"


def test_the_authorization_header_lets_in_without_its_signature(uri: str) -> None:
    value = token(uri)
    seen = dict(http.get(uri, headers={"Authorization": f"Bearer {value}"}).json()["headers"])
    assert seen["authorization"] == f"Bearer {value.rpartition('.')[0]}.SIGNATURE_REMOVED_BY_GOOGLE"


def test_a_bad_serverless_header_is_not_saved_by_a_good_authorization(uri: str) -> None:
    headers = serverless("bad") | {"Authorization": f"Bearer {token(uri)}"}
    assert http.get(uri, headers=headers).status_code == 401


def test_a_websocket_with_a_token_is_let_in(uri: str) -> None:
    with connect(f"{uri.replace('http', 'ws')}/talk", additional_headers=serverless(token(uri))) as socket:
        socket.send("hello")
        assert socket.recv(timeout=5) == "echo hello"


def test_the_keys_are_cached(uri: str) -> None:
    http.get(uri, headers=serverless(token(uri)))
    before = Certificates.fetched
    for _ in range(5):
        assert http.get(uri, headers=serverless(token(uri, jti=str(time.time_ns())))).status_code == 200
    assert Certificates.fetched == before


def test_without_keys_everybody_gets_in_but_the_header_is_still_stripped(emulator: Emulator) -> None:
    emulator.create("public")
    address = emulator.scale("public", automatic(0, 1)).uri
    seen = dict(http.get(address, headers=serverless("anything")).json()["headers"])
    assert "x-serverless-authorization" not in seen


def test_a_policy_may_be_as_it_was_a_while_ago(guarded: Emulator) -> None:
    """Google's take minutes to reach everywhere; a fault has the front be late."""
    guarded.create("late")
    uri = guarded.scale("late", automatic(0, 1)).uri
    policy = {"bindings": [{"role": "roles/run.invoker", "members": ["allUsers"]}]}
    guarded.client.set_iam_policy({"resource": guarded.name("late"), "policy": policy})
    rule = {"name": "late", "effect": "stale", "method": "InvokerCheck", "resource": "late", "seconds": 3600}
    assert http.post(f"{guarded.url}/emulator/v1/faults", json=rule).status_code == 200
    assert http.get(uri).status_code == 403
    http.delete(f"{guarded.url}/emulator/v1/faults/late")
    assert http.get(uri).status_code == 200


def test_policies_are_enforced_by_an_emulator_that_comes_back(tmp_path: Path) -> None:
    with certificates() as keys:
        with running(tmp_path, "--keys", keys) as first:
            open_to_all = a_service()
            open_to_all.invoker_iam_disabled = True
            first.create("kept", open_to_all)
            first.create("closed")
        with running(tmp_path, "--keys", keys) as second:
            for service_id, code in (("kept", 200), ("closed", 403)):
                uri = second.scale(service_id, automatic(0, 1)).uri
                assert http.get(uri).status_code == code
