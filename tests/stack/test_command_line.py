"""`./dev up`, `status`, `token` and `down`, with the identity emulator alone because it starts fastest."""

import json
import os
import signal
import stat

import pytest

from emulators.stack.probe import answers
from tests.stack.processes import CommandLine, is_gone, until

ONLY = ("--only", "identity")


def running(command_line: CommandLine) -> dict[str, object]:
    until(command_line.stack_file.exists, "the stack file is there", 60)
    return dict(json.loads(command_line.stack_file.read_text()))


def test_detached_up_returns_when_ready_and_down_leaves_nothing(command_line: CommandLine) -> None:
    up = command_line.run("up", "--detach", "--free-ports", *ONLY)
    assert up.returncode == 0, up.stdout + up.stderr
    content = json.loads(command_line.stack_file.read_text())
    assert "Ready in" in up.stdout
    assert answers(content["endpoints"]["identity"])

    assert "ok" in command_line.run("status").stdout
    assert command_line.run("token", "ada").stdout.count(".") == 2

    assert command_line.run("down").returncode == 0
    assert not command_line.stack_file.exists()
    assert all(is_gone(pid) for pid in content["pids"].values())


def test_the_stack_file_says_what_another_program_needs_and_is_private(command_line: CommandLine) -> None:
    command_line.start(*ONLY)
    content = running(command_line)

    assert content["project"] == "demo-dormouse"
    assert content["region"] == "europe-west1"
    assert content["runtime"] is None, "what was asked for runs no workstations"
    named = "api gateway sweep cleanup cloud_run cloud_storage firestore auth metadata"
    assert set(named.split()) <= set(content["endpoints"])  # type: ignore[call-overload]
    assert [set(user) for user in content["users"]] == [{"uid", "email", "idToken"}] * 2  # type: ignore[attr-defined]
    assert stat.S_IMODE(command_line.stack_file.stat().st_mode) == 0o600


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_every_child_and_removes_the_file(command_line: CommandLine, number: int) -> None:
    cloud = command_line.start(*ONLY)
    pids = running(command_line)["pids"]

    cloud.send_signal(number)

    assert cloud.wait(20) == 0
    assert not command_line.stack_file.exists()
    assert all(is_gone(pid) for pid in pids.values())  # type: ignore[attr-defined]


def test_a_killed_supervisor_leaves_no_child_and_the_next_commands_say_so(command_line: CommandLine) -> None:
    command_line.start(*ONLY)
    pids: dict[str, int] = running(command_line)["pids"]  # type: ignore[assignment]

    os.kill(pids["supervisor"], signal.SIGKILL)

    until(lambda: all(is_gone(pid) for pid in pids.values()), "every child is gone")
    status = command_line.run("status")
    assert status.returncode == 1
    assert "was killed" in status.stderr


def test_a_cloud_follows_one_that_was_killed(command_line: CommandLine) -> None:
    command_line.start(*ONLY)
    supervisor: int = running(command_line)["pids"]["supervisor"]  # type: ignore[index]
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: is_gone(supervisor), "the supervisor is gone")

    again = command_line.run("up", "--detach", "--free-ports", *ONLY)

    assert again.returncode == 0, again.stdout + again.stderr
    assert command_line.run("status").returncode == 0


def test_a_restarted_child_has_its_new_process_in_the_file(command_line: CommandLine) -> None:
    command_line.start(*ONLY)
    first: int = running(command_line)["pids"]["identity"]  # type: ignore[index]

    os.kill(first, signal.SIGKILL)

    until(lambda: running(command_line)["pids"]["identity"] != first, "another process")  # type: ignore[index]
    assert command_line.run("status").returncode == 0


def test_a_second_cloud_on_the_same_state_is_refused(command_line: CommandLine) -> None:
    command_line.start(*ONLY)
    running(command_line)

    second = command_line.run("up", "--free-ports", *ONLY)

    assert second.returncode == 1
    assert "already running" in second.stderr
    assert command_line.run("status").returncode == 0


def test_a_forced_port_that_is_taken_ends_the_start(command_line: CommandLine) -> None:
    command_line.start(*ONLY)
    port = running(command_line)["endpoints"]["identity"].rpartition(":")[2]  # type: ignore[index]
    other = CommandLine(command_line.state.with_name("other"))

    refused = other.run("up", "--port", f"api={port}", *ONLY)

    assert refused.returncode == 1
    assert f"Port {port} for api is taken by" in refused.stderr
    assert not other.stack_file.exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--port", "kitchen=80"), "no port kitchen"),
        (("--port", "api=99999"), "not a port"),
        (("--set", "AUTO_IDLE_MINUTES"), "not NAME=VALUE"),
        (("--only", "kitchen"), "no component kitchen"),
    ],
)
def test_a_wrong_argument_is_explained(
    command_line: CommandLine, arguments: tuple[str, ...], complaint: str
) -> None:
    refused = command_line.run("up", *arguments)

    assert refused.returncode != 0
    assert complaint in refused.stderr


def test_status_and_token_without_a_cloud_say_how_to_start_one(command_line: CommandLine) -> None:
    for command in (("status",), ("token", "ada")):
        done = command_line.run(*command)

        assert done.returncode == 1
        assert "Start one with ./dev up" in done.stderr
