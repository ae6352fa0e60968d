"""What goes on when the phone is in the pocket: builds finish, silence sleeps, a terminal comes back."""

import json

import pytest

from tests.journeys.conftest import IDLE_SECONDS, Hands, until

pytestmark = [pytest.mark.stack, pytest.mark.firestore]

BUILD = "i=0; end=$(($(date +%s)+{seconds})); while [ $(date +%s) -lt $end ]; do i=$((i+1)); done; echo built > {name}"
BUILD_SECONDS = 5 * IDLE_SECONDS
"""Longer than anything silent would live."""


def begin(hands: Hands, id_: str, command: str) -> None:
    """Start a command and go away at once."""
    url = f"{hands.cloud.endpoints['gateway']}/w/{id_}/-/exec"
    import httpx2  # noqa: PLC0415

    with httpx2.stream("POST", url, json={"command": command}, headers=hands.auth, timeout=30) as answer:
        assert answer.status_code == 200


@pytest.mark.mission("LIFE-08", "LIFE-01")
@pytest.mark.parametrize("how", ["an exec", "a daemon"])
def test_a_build_goes_on_to_its_end_after_its_client_has_gone(ada: Hands, how: str) -> None:
    id_ = ada.provision("build-" + how.split()[1])
    build = BUILD.format(seconds=BUILD_SECONDS, name="result")
    daemon = f"setsid sh -c '{build}' </dev/null >/dev/null 2>&1 & exit 0"
    begin(ada, id_, build if how == "an exec" else daemon)

    seen = until(
        "what keeps it awake is shown",
        lambda: (found := ada.get(id_))["lastActivity"]["source"] in ("process", "exec") and found,
    )
    assert seen["state"] == "RUNNING"
    rested = ada.becomes(id_, "IDLE", BUILD_SECONDS + 60)

    assert rested["reason"] == "idle"
    assert ada.inside(id_, "GET", "/-/files/result").text == "built\n"
    events = ada.api("GET", f"/v1/workstations/{id_}/events").json()
    assert events["whole"]
    idled = next(event for event in events["events"] if event["kind"] == "idled")
    nanos = idled["cost"]["nanos"]
    assert nanos >= BUILD_SECONDS * 91_200_000 // 3600 // 1000 * 1000, (
        "held time is RUNNING time, and is paid for"
    )


@pytest.mark.mission("LIFE-02", "LIFE-03")
def test_a_silent_open_terminal_sleeps_on_time(ada: Hands) -> None:
    id_ = ada.provision("silent")
    with ada.terminal(id_) as terminal:
        assert "id" in json.loads(terminal.recv())

        ada.becomes(id_, "IDLE", 60)
        stopped = ada.becomes(id_, "STOPPED", 60)

    assert stopped["reason"] == "stop_timeout"
    service = ada.service(id_)
    assert service is not None
    assert ada.instances(service) == []


def test_a_terminal_outlives_its_socket(ada: Hands) -> None:
    id_ = ada.provision("terminal", idleTimeout="60s", stopTimeout="120s")
    with ada.terminal(id_) as first:
        terminal = json.loads(first.recv())["id"]
        first.send(b"echo first-$((40+2))\n")
        seen = b""
        while b"first-42" not in seen:
            message = first.recv(timeout=20)
            seen += message if isinstance(message, bytes) else b""
        first.send(b"sleep 1; echo while-away\n")

    with ada.terminal(id_, id=terminal, after=0) as second:
        assert json.loads(second.recv())["id"] == terminal
        missed = b""
        while missed.count(b"while-away") < 2:  # as it was typed, and as it was printed
            message = second.recv(timeout=20)
            missed += message if isinstance(message, bytes) else b""

    assert b"first-42" in missed
