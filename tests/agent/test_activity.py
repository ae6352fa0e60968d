"""The agent knows who works: also through a freeze, and also when the work has left its parents."""

import contextlib
import random
import signal
import socket
import threading
import time

import httpx2
import pytest
from websockets.sync.client import connect

from tests.agent.driver import eventually

SPIN = "import time\nend = time.time() + 60\nwhile time.time() < end: pass"
DAEMONISE = f"import os\nif os.fork(): os._exit(0)\nos.setsid()\nif os.fork(): os._exit(0)\n{SPIN}"


def causes(agent, source="process"):
    return [cause for cause in agent.activity()["causes"] if cause["source"] == source]


def test_a_fresh_agent_is_not_busy_and_has_no_activity(agent):
    activity = agent.activity()

    assert (activity["busy"], activity["lastActivity"], activity["lastClientActivity"]) == ("NO", None, None)
    assert (activity["requestsInFlight"], activity["state"], activity["epoch"]) == (0, "READY", 1)


def test_looking_is_not_activity(agent):
    for path in ("/health", "/healthz", "/-/health", "/-/activity", "/-/nothing"):
        agent.http.get(path)
    agent.control("resume")

    assert agent.activity()["lastActivity"] is None


@pytest.mark.parametrize(
    ("method", "path", "source"),
    [
        ("GET", "/", "request"),
        ("GET", "/-/files/", "file"),
        ("PUT", "/-/files/x", "file"),
        ("GET", "/-/exec", "exec"),
    ],
)
def test_what_a_client_asks_for_is_activity(agent, method, path, source):
    agent.http.request(method, path)

    activity = agent.activity()
    assert activity["lastActivity"]["source"] == source
    assert activity["lastClientActivity"] == activity["lastActivity"]


def test_a_daemonised_build_is_unknown_then_busy_also_right_after_a_freeze(agent):
    agent.run(["python3", "-c", DAEMONISE])
    assert agent.activity()["busy"] == "UNKNOWN"
    assert agent.control("quiesce").status_code == 409

    (cause,) = eventually(lambda: causes(agent), 15)
    agent.freeze(4)

    assert cause["cpuPercent"] > 20
    assert cause["name"].startswith("python")
    assert agent.activity()["busy"] == "YES"
    activity = agent.activity()
    assert activity["lastActivity"]["source"] == "process"
    assert activity["lastClientActivity"]["source"] == "exec"
    refused = agent.control("quiesce")
    assert (refused.status_code, refused.json()["busy"]) == (409, "YES")
    assert agent.control("quiesce", {"force": True, "reason": "daily cap"}).status_code == 200


def test_a_shell_at_its_prompt_is_unknown_then_not_busy_and_stays_so_over_a_freeze(agent):
    with connect(f"{agent.websocket_url}/-/terminal", proxy=None) as socket:
        socket.recv(timeout=10)
        assert agent.activity()["busy"] == "UNKNOWN"
        eventually(lambda: agent.activity()["busy"] == "NO", 15)
        agent.freeze(3)
        assert agent.activity()["busy"] == "NO"
        assert agent.control("quiesce", {"idleSeconds": 1}).status_code == 200


def test_a_freeze_is_no_thawed_time(agent):
    """A process seen for two thawed seconds is still unknown after eight frozen ones."""
    agent.run("sleep 60 > /dev/null 2>&1 &")
    agent.freeze(8)

    assert agent.activity()["busy"] == "UNKNOWN"


def test_orphans_that_ended_are_reaped(agent):
    agent.run("for i in 1 2 3 4 5; do (sleep 0.3 &) ; done")

    assert eventually(lambda: len(agent.tree()) == 1)


def test_a_hold_reports_until_the_work_ends(agent):
    agent.http.post("/-/exec", json={"command": "true"})
    with agent.http.stream("POST", "/-/exec", json={"command": "echo go; sleep 3"}) as running:
        next(running.iter_lines())
        begun = time.monotonic()
        lines = agent.control("hold", {"maxSeconds": 60}).text.splitlines()

    assert 2 <= time.monotonic() - begun < 10
    assert '"busy": "YES"' in lines[0]
    assert '"busy": "NO"' in lines[-1]


def test_a_hold_ends_at_its_longest(agent):
    with agent.http.stream("POST", "/-/exec", json={"command": "echo go; sleep 30"}) as running:
        next(running.iter_lines())
        assert '"YES"' in agent.control("hold", {"maxSeconds": 0.5}).text


def test_sigterm_ends_the_commands_and_the_agent_within_eight_seconds(agent):
    script = "trap 'touch told; exit' TERM; echo go; while :; do sleep 0.1; done"
    with agent.http.stream("POST", "/-/exec", json={"command": script}) as running:
        next(running.iter_lines())
        begun = time.monotonic()
        agent.process.send_signal(signal.SIGTERM)
        assert agent.process.wait(8) is not None

    assert time.monotonic() - begun < 8
    assert (agent.workspace / "told").exists()


def test_sigterm_closes_a_silent_websocket_at_once(agent):
    with connect(f"{agent.websocket_url}/-/terminal", proxy=None) as socket:
        socket.recv(timeout=10)
        agent.process.send_signal(signal.SIGTERM)
        agent.process.wait(5)


def test_sigterm_ends_the_agent_in_time_even_when_the_store_hangs(agent):
    (agent.workspace / "large").write_bytes(random.Random(1).randbytes(30_000_000))
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        url = f"http://127.0.0.1:{hanging.getsockname()[1]}/b"
        saving = threading.Thread(target=lambda: save_without_answer(agent, url))
        saving.start()
        hanging.settimeout(10)
        hanging.accept()
        agent.process.send_signal(signal.SIGTERM)
        agent.process.wait(8.5)
    saving.join()


def save_without_answer(agent, url):
    """Ask for a save that cannot end; what the caller sees of the exit does not matter."""
    with contextlib.suppress(httpx2.TransportError):
        agent.control("save", {"upload": {"url": url}})
