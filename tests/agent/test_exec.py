"""Commands run to their end, with their output streamed, whether or not somebody watches."""

import json
import signal
import time

import pytest

from tests.agent.driver import eventually


def first_line(agent, command, **fields):
    """Start a command, read one line and leave; return the execution's id and the line."""
    with agent.http.stream("POST", "/-/exec", json={"command": command, **fields}) as answer:
        return answer.headers["dormouse-exec"], json.loads(next(answer.iter_lines()))


def test_output_and_exit_code_are_told(shared):
    lines = shared.run("echo out; echo err >&2; exit 3")

    assert {"stream": "stdout", "data": "out\n"} in lines
    assert {"stream": "stderr", "data": "err\n"} in lines
    assert lines[-1]["exitCode"] == 3
    assert lines[-1]["durationSeconds"] >= 0


def test_a_list_is_run_without_a_shell(shared):
    assert shared.output(["echo", "$HOME; *"]) == "$HOME; *\n"


def test_a_command_runs_in_the_workspace_with_the_users_port_and_none_of_our_settings(shared):
    environment = shared.output("pwd; env", env={"MINE": "1"})

    assert environment.startswith(f"{shared.workspace}\n")
    assert f"PORT={shared.user_port}\n" in environment
    assert "MINE=1\n" in environment
    assert "DORMOUSE" not in environment


def test_stdin_is_given_and_then_ends(shared):
    assert shared.output("wc -c", stdin="ä" * 300_000).strip() == "600000"
    assert shared.output("wc -c").strip() == "0"


def test_a_command_that_does_not_read_its_stdin_ends(shared):
    assert shared.run("exit 0", stdin="x" * 500_000)[-1]["exitCode"] == 0


def test_characters_split_between_reads_arrive_whole_and_bad_bytes_are_replaced(shared):
    assert shared.output(r"printf '\xc3'; sleep 0.2; printf '\xa9'") == "é"
    assert shared.output(r"printf 'a\xffb\xc3'") == "a�b�"


def test_output_arrives_while_the_command_runs(agent):
    _, line = first_line(agent, "echo now; sleep 30")

    assert line == {"stream": "stdout", "data": "now\n"}


def test_a_large_output_reaches_a_client_who_reads_completely(shared):
    assert len(shared.output("head -c 20000000 /dev/zero | tr '\\0' x")) == 20_000_000


def test_a_command_goes_on_when_its_client_leaves_and_can_be_watched_again(agent):
    identifier, _ = first_line(agent, "echo one; sleep 1; echo two; touch finished")
    answer = agent.http.get(f"/-/exec/{identifier}")

    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert "".join(line.get("data", "") for line in lines) == "one\ntwo\n"
    assert lines[-1]["exitCode"] == 0
    assert (agent.workspace / "finished").exists()


def test_output_that_nobody_read_is_bounded_and_the_loss_is_told(agent):
    script = "echo begin; sleep 0.5; head -c 3000000 /dev/zero | tr '\\0' x"
    identifier, _ = first_line(agent, script)
    eventually(lambda: not agent.http.get("/-/exec").json()["executions"][0]["running"], 20)

    lines = [json.loads(line) for line in agent.http.get(f"/-/exec/{identifier}").text.splitlines()]

    kept = sum(len(line.get("data", "")) for line in lines)
    assert lines[0]["droppedBytes"] + kept == 3_000_006
    assert 100_000 < kept <= 512 * 1024


def test_a_timeout_ends_the_command_and_all_of_its_group(agent):
    lines = agent.run("trap '' TERM; sleep 60 & echo $!; wait; sleep 60", timeoutSeconds=0.5)

    assert lines[-1]["exitCode"] == 128 + signal.SIGKILL
    assert lines[-1]["timedOut"] is True
    child = int(lines[0]["data"])
    assert eventually(lambda: child not in agent.tree())


def test_something_left_in_the_background_neither_holds_up_the_end_nor_dies_of_it(agent):
    begun = time.monotonic()
    script = "(sleep 1; echo still here; touch survived) & echo done"

    lines = agent.run(script)

    assert (lines[0]["data"], lines[-1]["exitCode"]) == ("done\n", 0)
    assert time.monotonic() - begun < 0.9
    assert eventually((agent.workspace / "survived").exists)


def test_a_running_command_is_busy_and_named_and_its_end_is_noticed(agent):
    identifier, _ = first_line(agent, ["sh", "-c", "echo begun; sleep 1.5"])

    activity = agent.activity()
    assert (activity["busy"], activity["lastActivity"]["source"]) == ("YES", "exec")
    assert {"source": "exec", "name": "sh"}.items() <= activity["causes"][0].items()
    assert agent.control("quiesce").status_code == 409
    agent.http.get(f"/-/exec/{identifier}")
    assert agent.activity()["busy"] == "NO"


def test_a_running_command_is_activity_but_not_of_the_client(agent):
    first_line(agent, "echo begun; sleep 20")
    client = agent.activity()["lastClientActivity"]["time"]

    assert eventually(lambda: agent.activity()["lastActivity"]["time"] > client)
    assert agent.activity()["lastClientActivity"]["time"] == client


def test_a_forced_quiesce_ends_the_commands(agent):
    identifier, _ = first_line(agent, "echo begun; sleep 60")

    assert agent.control("quiesce", {"force": True, "reason": "daily cap"}).status_code == 200
    assert agent.control("resume").status_code == 200

    assert '"exitCode":143' in agent.http.get(f"/-/exec/{identifier}").text


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"command"}),
        ({"command": []}, {"command"}),
        ({"command": ""}, {"command"}),
        ({"command": ["echo", 3]}, {"command"}),
        ({"command": "a\0b"}, {"command"}),
        ({"command": "\ud800"}, {"command"}),
        ({"command": ["no-such-program-here"]}, {"command"}),
        ({"command": ["./missing"]}, {"command"}),
        ({"command": "x", "cwd": "missing", "timeoutSeconds": 0}, {"cwd", "timeoutSeconds"}),
        ({"command": "x", "cwd": 3, "stdin": 4, "timeoutSeconds": "5"}, {"cwd", "stdin", "timeoutSeconds"}),
        ({"command": "x", "timeoutSeconds": True}, {"timeoutSeconds"}),
        ({"command": "x", "timeoutSeconds": 1e9}, {"timeoutSeconds"}),
        ({"command": "x", "env": {"A=B": "1", "C": 2}}, {"env.A=B", "env.C"}),
        ({"command": "x", "env": [1], "nonsense": 1}, {"env", "nonsense"}),
    ],
)
def test_every_bad_field_is_named(shared, body, fields):
    error = shared.http.post("/-/exec", content=json.dumps(body)).json()["error"]

    assert error["status"] == "INVALID_ARGUMENT"
    assert {violation["field"] for violation in error["details"][0]["fieldViolations"]} == fields


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_a_400(shared, body):
    assert shared.http.post("/-/exec", content=body).status_code == 400


def test_a_body_beyond_the_limit_is_a_413(shared):
    assert shared.http.post("/-/exec", content=b" " * 2_000_000).status_code == 413


def test_an_unknown_execution_is_a_404(shared):
    assert shared.http.get("/-/exec/nothing").status_code == 404


def test_nothing_runs_before_the_workspace_is_loaded(empty):
    assert empty.http.post("/-/exec", json={"command": "true"}).status_code == 503
