"""Ports are free, or it is said who has them."""

import os
import socket
from collections.abc import Iterator

import pytest

from emulators.stack.ports import DEFAULTS, PortTaken, choose


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def test_a_forced_port_that_is_taken_is_an_error_that_names_who_has_it(taken: int) -> None:
    with pytest.raises(PortTaken, match=rf"Port {taken} for api is taken by .*process {os.getpid()}"):
        choose(["api"], {"api": taken}, print)


def test_a_forced_port_that_is_free_is_taken_as_it_is(taken: int) -> None:
    free = choose(["api"], {}, print, any_free=True)["api"]

    assert choose(["api", "sweep"], {"sweep": free}, print, any_free=True)["sweep"] == free


def test_a_default_that_is_taken_is_replaced_and_that_is_said() -> None:
    said: list[str] = []
    # Held here unless another program holds it already: taken either way.
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", DEFAULTS["api"]))
            listener.listen()
        except OSError:
            pass
        port = choose(["api"], {}, said.append)["api"]

    assert port != DEFAULTS["api"]
    assert f"Port {DEFAULTS['api']} is taken by" in said[0]
    assert f"api gets {port}" in said[0]


def test_every_part_gets_a_port_of_its_own() -> None:
    chosen = choose(DEFAULTS, {}, print, any_free=True)

    assert len(set(chosen.values())) == len(DEFAULTS)
