"""What we believe of whatever answers in an agent's place, and what we send it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.adapters.agent.client import AgentClient, Patience
from shared.adapters.memory.clock import FakeClock
from shared.domain.errors import DormouseError, FailedPrecondition, PermissionDenied, Unavailable
from shared.domain.observed import Busy, Phase
from shared.domain.workstation import Activity, Source
from shared.ports import Address, Grant, Quiescence, Saved
from tests.builders import a_backup

NOW = datetime(2026, 11, 5, 12, tzinfo=UTC)
LOOK = {"bootId": "b1", "state": "READY", "busy": "NO", "epoch": 3, "dirty": False}
GRANT = Grant(url="https://storage.example/object?signature=s", headers={"x-goog-if-generation-match": "0"})
HASH = "a" * 64
SAVED = {"state": "SAVED", "sha256": HASH, "size": 10, "files": 2, "unchanged": False}

Call = Callable[[AgentClient, Address], object]


class NamedTokens:
    """Tokens that show their audience."""

    def token(self, audience: str) -> str:
        return f"token-for-{audience}"


@pytest.fixture
def agents() -> AgentClient:
    return AgentClient(NamedTokens(), FakeClock(NOW), Patience(look=10, control=10, transfer=10))


@pytest.fixture
def address(wire: Any) -> Address:
    return Address(uri=wire.url, service="ws-a-1", epoch=3)


def look(agents: AgentClient, address: Address) -> object:
    return agents.look(address, NOW)


def load(agents: AgentClient, address: Address) -> object:
    return agents.load(address, None, None)


def quiesce(agents: AgentClient, address: Address) -> Quiescence:
    return agents.quiesce(address, idle_seconds=300.0, force=False, reason="idle")


def resume(agents: AgentClient, address: Address) -> object:
    return agents.resume(address)


def save(agents: AgentClient, address: Address) -> Saved:
    return agents.save(address, GRANT, HASH)


CONTROL = [load, quiesce, resume, save]
ALL = [look, *CONTROL]


# --- what is sent ---


def test_a_look_shows_the_platform_who_we_are_and_the_agent_nothing(
    agents: AgentClient, address: Address, wire: Any
) -> None:
    wire.will_answer(200, LOOK)
    agents.look(address, NOW)
    (sent,) = wire.requests
    assert (sent.method, sent.path) == ("GET", "/-/activity")
    assert sent.headers["x-serverless-authorization"] == f"Bearer token-for-{address.uri}"
    assert "dormouse-authorization" not in sent.headers


@pytest.mark.parametrize("call", CONTROL)
def test_a_control_call_bears_a_token_for_this_service_and_epoch(
    agents: AgentClient, address: Address, wire: Any, call: Call
) -> None:
    wire.will_answer(503, {})
    with pytest.raises(Unavailable):
        call(agents, address)
    (sent,) = wire.requests
    assert sent.method == "POST"
    assert sent.headers["x-serverless-authorization"] == f"Bearer token-for-{address.uri}"
    assert sent.headers["dormouse-authorization"] == "Bearer token-for-dormouse://ws-a-1/epochs/3"


def test_a_load_names_the_backup_its_grant_and_its_hash(
    agents: AgentClient, address: Address, wire: Any
) -> None:
    wire.will_answer(200, {"state": "READY", "bootId": "b1", "epoch": 3, "files": 3, "bytes": 1})
    agents.load(address, a_backup(), Grant(url="https://storage.example/o"))
    agents.load(address, None, None)
    assert [sent.body["backup"] for sent in wire.requests] == [
        {"url": "https://storage.example/o", "headers": {}, "sha256": "f" * 64, "size": 1000},
        None,
    ]


def test_a_save_passes_the_grant_on_and_tells_what_it_said(
    agents: AgentClient, address: Address, wire: Any
) -> None:
    wire.will_answer(200, SAVED)
    assert save(agents, address) == Saved(sha256=HASH, size=10, files=2, unchanged=False)
    assert wire.requests[0].body == {
        "upload": {"url": GRANT.url, "headers": {"x-goog-if-generation-match": "0"}},
        "known": HASH,
    }


# --- what is believed ---


def test_a_look_in_the_domains_words(agents: AgentClient, address: Address, wire: Any) -> None:
    touched = {"time": "2026-11-05T11:59:00.5Z", "source": "terminal"}
    causes = [{"source": "process", "pid": 7, "name": "python train.py", "cpuPercent": 97.1}]
    wire.will_answer(
        200, {**LOOK, "busy": "YES", "lastActivity": touched, "causes": causes, "requestsInFlight": 0}
    )
    view = agents.look(address, NOW)
    assert (view.boot_id, view.phase, view.epoch, view.busy) == ("b1", Phase.READY, 3, Busy.YES)
    assert view.last_activity == Activity(NOW - timedelta(seconds=59.5), Source.TERMINAL)
    assert (view.last_client_activity, view.cause, view.dirty) == (None, "python train.py", False)


def test_what_happened_in_the_future_happened_now(agents: AgentClient, address: Address, wire: Any) -> None:
    """A tenant cannot keep a workstation alive by dating its activity a year ahead."""
    wire.will_answer(200, {**LOOK, "lastActivity": {"time": "2027-11-05T12:00:00Z", "source": "exec"}})
    assert agents.look(address, NOW).last_activity == Activity(NOW, Source.EXEC)


def test_a_cause_is_one_line_of_bearable_length(agents: AgentClient, address: Address, wire: Any) -> None:
    wire.will_answer(200, {**LOOK, "busy": "YES", "causes": [{"name": "a\nb\x1b" + "x" * 10_000}]})
    cause = agents.look(address, NOW).cause
    assert "\n" not in cause
    assert len(cause) == 200


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html>hello</html>", id="a-page"),
        pytest.param(b"\xff\xfe", id="not-text"),
        pytest.param(b"", id="nothing"),
        pytest.param([], id="a-list"),
        pytest.param({}, id="no-fields"),
        pytest.param({**LOOK, "epoch": -1}, id="negative-epoch"),
        pytest.param({**LOOK, "epoch": "3"}, id="epoch-as-text"),
        pytest.param({**LOOK, "state": "HAPPY"}, id="unknown-state"),
        pytest.param({**LOOK, "bootId": "b" * 200}, id="endless-boot-id"),
        pytest.param(
            {**LOOK, "lastActivity": {"time": "2026-11-05T12:00:00", "source": "exec"}}, id="no-zone"
        ),
        pytest.param({**LOOK, "lastActivity": {"time": NOW.isoformat(), "source": "joy"}}, id="new-source"),
        pytest.param({**LOOK, "causes": [{"name": "x" * 300_000}]}, id="too-much"),
    ],
)
def test_what_is_no_agents_answer_is_as_good_as_none(
    agents: AgentClient, address: Address, wire: Any, body: Any
) -> None:
    wire.will_answer(200, body)
    with pytest.raises(Unavailable) as raised:
        agents.look(address, NOW)
    assert raised.value.reason == "AGENT_UNREADABLE"


@pytest.mark.parametrize("sha256", ["", "A" * 64, "a" * 63, "../../etc"])
def test_a_save_without_a_hash_is_none(agents: AgentClient, address: Address, wire: Any, sha256: str) -> None:
    wire.will_answer(200, {**SAVED, "sha256": sha256})
    with pytest.raises(Unavailable):
        save(agents, address)


@pytest.mark.parametrize("status", [301, 302, 401, 403, 404, 409, 429, 500, 503])
def test_whatever_answers_instead_a_look_is_at_worst_unavailable(
    agents: AgentClient, address: Address, wire: Any, status: int
) -> None:
    """Whatever a tenant's program answers in the agent's place, the workstation can still be stopped."""
    wire.will_answer(status, {}, headers={"Location": "http://169.254.169.254/"})
    with pytest.raises(Unavailable):
        agents.look(address, NOW)
    assert len(wire.requests) == 1


@pytest.mark.parametrize("call", CONTROL)
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, PermissionDenied),
        (403, PermissionDenied),
        (404, Unavailable),
        (429, Unavailable),
        (500, Unavailable),
        (503, Unavailable),
        (507, FailedPrecondition),
    ],
)
def test_a_refused_control_call_says_why(
    agents: AgentClient, address: Address, wire: Any, call: Call, status: int, error: type[DormouseError]
) -> None:
    wire.will_answer(status, {"error": {"message": "because of\nthis"}}, headers={"Retry-After": "2"})
    with pytest.raises(error, match="because of this") as raised:
        call(agents, address)
    assert raised.value.retry_after == (timedelta(seconds=2) if error is Unavailable else None)


def test_a_load_that_the_agent_cannot_do_has_its_reason(
    agents: AgentClient, address: Address, wire: Any
) -> None:
    wire.will_answer(409, {"reason": "the backup is damaged"})
    with pytest.raises(FailedPrecondition, match="the backup is damaged"):
        load(agents, address)


def test_a_refused_load_brings_the_agents_own_word_for_it(
    agents: AgentClient, address: Address, wire: Any
) -> None:
    wire.will_answer(409, {"error": {"message": "it does not fit", "details": [{"reason": "NO_SPACE"}]}})
    with pytest.raises(FailedPrecondition, match="it does not fit") as raised:
        load(agents, address)
    assert raised.value.metadata == {"agentReason": "NO_SPACE"}


def test_a_busy_agent_refuses_to_freeze_for_what_it_does_now(
    agents: AgentClient, address: Address, wire: Any
) -> None:
    causes = [{"source": "exec", "pid": 9, "name": "make"}]
    wire.will_answer(409, {"quiesced": False, "busy": "YES", "lastActivity": None, "causes": causes})
    assert quiesce(agents, address) == Quiescence(
        quiesced=False, dirty=True, activity=Activity(NOW, Source.EXEC, "make"), cause="make"
    )


@pytest.mark.parametrize("call", ALL)
def test_an_agent_that_says_nothing_is_given_up_in_time(address: Address, wire: Any, call: Call) -> None:
    impatient = AgentClient(NamedTokens(), FakeClock(NOW), Patience(look=0.5, control=0.5, transfer=0.5))
    wire.will_answer(200, LOOK, pause=2.0)
    with pytest.raises(Unavailable):
        call(impatient, address)


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "http://nowhere.invalid", "not a url", ""])
def test_nobody_there_is_unavailable(agents: AgentClient, uri: str) -> None:
    with pytest.raises(Unavailable) as raised:
        agents.look(Address(uri=uri, service="ws-a-1", epoch=3), NOW)
    assert raised.value.reason == "AGENT_UNREACHABLE"


def test_an_answer_that_never_ends_is_cut_off(address: Address, agents: AgentClient, wire: Any) -> None:
    """Not read to its end, however patiently it is sent."""
    wire.will_answer(200, json.dumps({**LOOK, "filler": "x" * 5_000_000}).encode())
    with pytest.raises(Unavailable):
        agents.look(address, NOW)
