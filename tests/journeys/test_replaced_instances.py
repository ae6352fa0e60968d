"""The platform takes instances away at any time: nobody is served from an empty disk, and what is lost is said."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from tests.journeys.conftest import Hands, until

pytestmark = [pytest.mark.stack, pytest.mark.firestore]

AWAKE = {"idleTimeout": "120s", "stopTimeout": "240s"}
"""So that only what a test does to it moves it."""
TYPED = {"NOT_READY", "CONNECTION_BROKE", "UNREACHABLE"}


def take_away(hands: Hands, id_: str) -> str:
    """What the platform does: the instance is gone at once, and another one, empty, follows. The one that went."""
    (instance,) = until("one instance", lambda: hands.instances(hands.service(id_) or {}))
    name = (hands.service(id_) or {})["name"].rsplit("/", 1)[1]
    url = f"{hands.cloud.endpoints['cloud_run']}/emulator/v1/services/{name}/instances/{instance['id']}:kill"
    # One that is going by itself is as good.
    assert httpx2.post(url, timeout=10).status_code in (200, 404)
    return str(instance["id"])


def write(hands: Hands, id_: str, name: str, text: str) -> None:
    answer = hands.inside(id_, "PUT", f"/-/files/{name}", content=text.encode())
    assert answer.is_success, answer.text


def slept(hands: Hands, name: str, text: str) -> str:
    """A workstation with `text` in its newest save, RUNNING again after a stop."""
    id_ = hands.provision(name, **AWAKE)
    write(hands, id_, "kept.txt", text)
    hands.api("POST", f"/v1/workstations/{id_}:stop", {})
    hands.becomes(id_, "STOPPED")
    assert hands.inside(id_, "GET", "/-/files/kept.txt").text == text
    return id_


def is_refusal(answer: httpx2.Response) -> bool:
    """A typed one: what happened, and when to try again."""
    if answer.status_code not in (502, 503):
        return False
    details = answer.json()["error"]["details"]
    return details[0]["reason"] in TYPED and bool(answer.headers["retry-after"])


def read_at_last(hands: Hands, id_: str, name: str) -> str:
    """The file, as a client reads it that tries again when it is told to."""

    def read() -> str | None:
        answer = hands.inside(id_, "GET", f"/-/files/{name}")
        if answer.status_code == 200:
            return answer.text
        assert is_refusal(answer), (answer.status_code, answer.text)
        return None

    return str(until(f"{name} can be read", read))


def read_to_the_end(terminal: ClientConnection) -> None:
    """Raises ConnectionClosed."""
    while True:
        terminal.recv(timeout=60)


def events(hands: Hands, id_: str) -> list[dict[str, str]]:
    return list(hands.api("GET", f"/v1/workstations/{id_}/events").json()["events"])


def test_one_that_goes_while_it_is_idle_takes_nothing_with_it(ada: Hands) -> None:
    id_ = ada.provision("gone-while-idle", stopTimeout="240s")
    write(ada, id_, "kept.txt", "saved before it rested")
    ada.becomes(id_, "IDLE")

    gone = take_away(ada, id_)
    until(
        "another instance", lambda: gone not in {each["id"] for each in ada.instances(ada.service(id_) or {})}
    )

    assert read_at_last(ada, id_, "kept.txt") == "saved before it rested"
    assert ada.get(id_)["unsavedChanges"] is False
    replaced = [event["message"] for event in events(ada, id_) if event["kind"] == "replaced"]
    assert all("Nothing is lost" in message for message in replaced)


@pytest.mark.mission("LIFE-26")
def test_several_that_go_in_a_row_are_each_loaded_anew_and_what_was_not_saved_is_said(ada: Hands) -> None:
    id_ = slept(ada, "gone-again-and-again", "the saved one")
    for number in range(3):
        write(ada, id_, "kept.txt", f"changed {number}, not saved")
        take_away(ada, id_)
        assert read_at_last(ada, id_, "kept.txt") == "the saved one"

    assert ada.get(id_)["unsavedChanges"] is True
    replaced = [event["message"] for event in events(ada, id_) if event["kind"] == "replaced"]
    assert len(replaced) == 3
    assert all("is lost" in message for message in replaced)


def test_one_that_goes_while_it_is_being_loaded_is_loaded_again(ada: Hands) -> None:
    """Taken away as soon as it is there, at whatever point of its load that is."""
    id_ = slept(ada, "gone-while-loading", "the saved one")
    ada.api("POST", f"/v1/workstations/{id_}:stop", {})
    ada.becomes(id_, "STOPPED")
    ada.api("POST", f"/v1/workstations/{id_}:wake", {})
    take_away(ada, id_)

    assert read_at_last(ada, id_, "kept.txt") == "the saved one"


def test_one_that_goes_between_its_save_and_its_stop_loses_nothing(ada: Hands) -> None:
    id_ = ada.provision("gone-after-its-save", **AWAKE)
    write(ada, id_, "kept.txt", "saved by the stop")
    ada.api("POST", f"/v1/workstations/{id_}:stop", {})

    def saved() -> bool:
        return any(event["kind"] == "saved" for event in events(ada, id_))

    until("it is saved", saved)
    if ada.instances(ada.service(id_) or {}):
        take_away(ada, id_)
    stopped = ada.becomes(id_, "STOPPED")

    assert stopped["unsavedChanges"] is False
    assert read_at_last(ada, id_, "kept.txt") == "saved by the stop"


def test_one_that_goes_before_its_stop_could_save_says_so(ada: Hands) -> None:
    """The stop does not hang on an instance that is gone, and is called off by nobody."""
    id_ = slept(ada, "gone-before-its-save", "the saved one")
    write(ada, id_, "kept.txt", "changed, not saved")
    take_away(ada, id_)
    ada.api("POST", f"/v1/workstations/{id_}:stop", {})
    stopped = ada.becomes(id_, "STOPPED")

    assert stopped["unsavedChanges"] is True
    assert "is lost" in events(ada, id_)[-1]["message"]
    assert read_at_last(ada, id_, "kept.txt") == "the saved one"


def test_an_upload_into_one_that_goes_is_never_called_done(ada: Hands) -> None:
    """Half of it has arrived when the instance goes: the client is told, and the file is what it was."""
    id_ = slept(ada, "gone-while-uploading", "the saved one")
    half_sent = threading.Event()
    killed = threading.Event()

    def body() -> Iterator[bytes]:
        yield b"x" * 300_000
        half_sent.set()
        killed.wait(60)
        yield b"y" * 300_000

    def kill() -> None:
        half_sent.wait(60)
        take_away(ada, id_)
        killed.set()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        answer = ada.inside(id_, "PUT", "/-/files/kept.txt", content=body())
    except httpx2.TransportError:
        pass
    else:
        assert is_refusal(answer), (answer.status_code, answer.text)
    finally:
        killer.join()

    assert read_at_last(ada, id_, "kept.txt") == "the saved one"


def test_a_command_in_one_that_goes_breaks_off_visibly(ada: Hands) -> None:
    """The stream ends without an exit code, and not as if it were whole."""
    id_ = slept(ada, "gone-while-executing", "the saved one")
    url = f"{ada.cloud.endpoints['gateway']}/w/{id_}/-/exec"
    body = {"command": "echo begun; sleep 60; echo ended"}
    lines: list[dict[str, object]] = []

    def execute() -> None:
        with httpx2.stream("POST", url, json=body, headers=ada.auth, timeout=90) as answer:
            assert answer.status_code == 200
            for line in answer.iter_lines():
                lines.append(json.loads(line))
                take_away(ada, id_)

    with pytest.raises(httpx2.TransportError):
        execute()

    assert [line.get("data") for line in lines] == ["begun\n"]
    assert read_at_last(ada, id_, "kept.txt") == "the saved one"


def test_a_terminal_in_one_that_goes_is_closed_and_a_new_one_sees_the_files(ada: Hands) -> None:
    id_ = slept(ada, "gone-under-a-terminal", "the saved one")
    with ada.terminal(id_) as terminal:
        known = json.loads(terminal.recv())["id"]
        take_away(ada, id_)
        with pytest.raises(ConnectionClosed) as closed:
            read_to_the_end(terminal)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code in (1011, 1012)

    assert read_at_last(ada, id_, "kept.txt") == "the saved one"
    with ada.terminal(id_, id=known, after=0) as again:
        assert json.loads(again.recv()) == {"id": known, "offset": 0}
        again.send(b"cat kept.txt\n")
        seen = b""
        while b"the saved one" not in seen:
            message = again.recv(timeout=30)
            seen += message if isinstance(message, bytes) else b""


def test_twenty_readers_while_it_is_taken_away_get_the_file_or_a_refusal(ada: Hands) -> None:
    id_ = slept(ada, "gone-under-a-crowd", "the saved one")
    end = time.monotonic() + 15

    def read_on(_reader: int) -> list[httpx2.Response]:
        answers = []
        while time.monotonic() < end:
            answers.append(ada.inside(id_, "GET", "/-/files/kept.txt"))
        return answers

    with ThreadPoolExecutor(20) as readers:
        reading = readers.map(read_on, range(20))
        for _ in range(2):
            take_away(ada, id_)
            time.sleep(5)
        answers = [answer for some in reading for answer in some]

    served = [answer for answer in answers if answer.status_code == 200]
    assert {answer.text for answer in served} == {"the saved one"}
    assert [answer.text for answer in answers if answer not in served and not is_refusal(answer)] == []
    assert read_at_last(ada, id_, "kept.txt") == "the saved one"
