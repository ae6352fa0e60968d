"""A terminal outlives its socket: whoever comes back gets what was missed."""

import json
import re

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from tests.agent.driver import eventually


def attach(agent, **query):
    """Attach to a terminal; return the socket and the server's first message."""
    text = "&".join(f"{name}={value}" for name, value in query.items())
    socket = connect(f"{agent.websocket_url}/-/terminal?{text}", proxy=None, compression=None, legacy=True)
    return socket, json.loads(socket.recv(timeout=10))


def read_until(socket, wanted):
    """Return what is shown, up to the wanted bytes."""
    shown = b""
    while wanted not in shown:
        message = socket.recv(timeout=10)
        assert isinstance(message, bytes), message
        shown += message
    return shown


def drain(socket):
    """Read until the socket is closed."""
    while True:
        socket.recv(timeout=10)


def test_a_shell_runs_in_the_workspace_on_a_terminal_of_its_own(shared):
    socket, first = attach(shared, cols=100, rows=30)
    socket.send(b"stty size; pwd; tty; echo $TERM; echo done''done\n")

    shown = read_until(socket, b"donedone")

    assert first["offset"] == 0
    assert b"30 100" in shown
    assert str(shared.workspace).encode() in shown
    assert b"/dev/pts/" in shown
    assert b"xterm-256color" in shown
    socket.close()


def test_control_c_reaches_the_program_in_the_foreground(agent):
    socket, _ = attach(agent)
    socket.send(b"sleep 60; echo after''sleep $?\n")
    read_until(socket, b"$?")
    assert eventually(lambda: b"sleep" in names(agent))
    socket.send(b"\x03")
    socket.send(b"echo still''here\n")

    read_until(socket, b"stillhere")
    socket.close()


def names(agent):
    """Return the names of the processes in the agent's tree."""
    return [open(f"/proc/{pid}/comm", "rb").read().strip() for pid in agent.tree()]


def test_a_resize_is_seen_by_the_programs(shared):
    socket, _ = attach(shared)
    socket.send(json.dumps({"resize": {"cols": 77, "rows": 11}}))
    socket.send(b"stty size\n")

    read_until(socket, b"11 77")
    socket.close()


@pytest.mark.parametrize("text", ["hello", '{"resize":{"cols":0,"rows":1}}', '{"resize":[]}', "[" * 10_000])
def test_a_text_that_is_no_resize_ends_the_connection_with_a_reason(shared, text):
    socket, _ = attach(shared)
    socket.send(text)

    with pytest.raises(ConnectionClosed) as closed:
        drain(socket)
    assert closed.value.rcvd.code == 1003


def test_what_was_missed_is_replayed_from_the_offset(agent):
    socket, first = attach(agent)
    socket.send(b"echo be''fore\n")
    seen = len(read_until(socket, b"before"))
    socket.send(b"sleep 0.3; echo a''fter\n")
    socket.close()

    again, second = attach(agent, id=first["id"], after=seen)

    assert second == {"id": first["id"], "offset": seen}
    assert b"before" not in read_until(again, b"after").replace(b"be''fore", b"")
    again.close()


def test_only_the_last_256_kib_are_kept_and_the_offset_says_so(agent):
    socket, first = attach(agent)
    socket.send(b"head -c 600000 /dev/zero | tr '\\0' x; echo en''d\n")
    shown = len(read_until(socket, b"end"))
    socket.close()

    again, second = attach(agent, id=first["id"], after=0)

    assert shown - 256 * 1024 <= second["offset"] < shown
    assert len(read_until(again, b"end")) <= 256 * 1024 + 100
    again.close()


def test_a_second_client_takes_the_terminal_over(agent):
    socket, first = attach(agent)
    other, _ = attach(agent, id=first["id"])

    with pytest.raises(ConnectionClosed) as closed:
        drain(socket)
    assert closed.value.rcvd.code == 4001
    other.send(b"echo mi''ne\n")
    read_until(other, b"mine")
    other.close()


def test_several_terminals_are_separate(shared):
    sockets = [attach(shared)[0] for _ in range(3)]
    for number, socket in enumerate(sockets):
        socket.send(f"echo shell''{number}\n".encode())
    for number, socket in enumerate(sockets):
        assert re.search(b"shell[^%d']" % number, read_until(socket, b"shell%d" % number)) is None
        socket.close()


def test_the_exit_of_the_shell_is_told_even_to_who_comes_later(shared):
    socket, first = attach(shared)
    socket.send(b"echo last''words; exit 7\n")

    def rest(socket):
        messages = list(socket)
        assert b"lastwords" in b"".join(messages[:-1])
        return json.loads(messages[-1])

    assert rest(socket) == {"exitCode": 7}
    later, _ = attach(shared, id=first["id"], after=0)
    assert rest(later) == {"exitCode": 7}


def test_an_open_but_silent_terminal_is_no_activity_and_each_frame_is(agent):
    socket, _ = attach(agent)
    socket.send(b"sleep 1; echo out''put\n")
    typed = eventually(lambda: agent.activity()["lastClientActivity"]["source"] == "terminal")
    before = agent.activity()["lastClientActivity"]
    read_until(socket, b"output")
    assert typed
    assert agent.activity()["lastClientActivity"] == before

    socket.send(b"x")

    assert eventually(lambda: agent.activity()["lastClientActivity"]["time"] > before["time"])
    socket.close()


def test_a_quiesce_closes_the_socket_and_keeps_the_shell(agent):
    socket, first = attach(agent)
    socket.send(b"MARK=sti''ll\n")
    read_until(socket, b"MARK")
    answer = eventually(lambda: closes(agent, socket), 20)
    assert answer == 1012
    agent.control("resume")

    again, _ = attach(agent, id=first["id"])
    again.send(b"echo $MARK''mine\n")
    read_until(again, b"stillmine")
    again.close()


def closes(agent, socket):
    """Quiesce when the shell is known to be quiet; return the code of the close."""
    if agent.control("quiesce", {"idleSeconds": 0}).status_code != 200:
        return None
    with pytest.raises(ConnectionClosed) as closed:
        drain(socket)
    return closed.value.rcvd.code


def test_typing_more_than_the_shell_reads_does_not_block_the_agent(agent):
    socket, _ = attach(agent)
    socket.send(b"stty -icanon; sleep 30\n")
    eventually(lambda: b"sleep" in names(agent))
    for _ in range(20):
        socket.send(b"x" * 10_000)

    assert agent.http.get("/-/health").status_code == 200
    socket.socket.close()


@pytest.mark.parametrize("query", [{"cols": 0}, {"rows": "x"}, {"id": "a/b"}, {"after": "-1"}])
def test_a_bad_parameter_is_a_400_that_names_it(shared, query):
    with pytest.raises(InvalidStatus) as refused:
        attach(shared, **query)
    assert refused.value.response.status_code == 400
    assert next(iter(query)).encode() in refused.value.response.body


def test_a_terminal_is_refused_until_the_workspace_is_loaded(empty):
    with pytest.raises(InvalidStatus) as refused:
        attach(empty)
    assert refused.value.response.status_code == 503
    assert "retry-after" in refused.value.response.headers
