"""A workspace that is full says so, through every relay on the way, and goes on working."""

from collections.abc import Iterator

import pytest

from tests.journeys.conftest import Hands

pytestmark = [pytest.mark.stack, pytest.mark.firestore]

MIB = 1 << 20
LIMIT_MIB = 256
"""Half of the memory of the smallest size."""


def too_much() -> Iterator[bytes]:
    for _ in range(LIMIT_MIB + 20):
        yield b"x" * MIB


def test_an_upload_that_does_not_fit_is_refused_and_nothing_else_happens(ada: Hands) -> None:
    id_ = ada.provision("full", idleTimeout="120s", stopTimeout="240s")
    assert ada.inside(id_, "PUT", "/-/files/kept.txt", content=b"small").is_success

    answer = ada.inside(id_, "PUT", "/-/files/big.bin", content=too_much())

    assert answer.status_code == 507, answer.text
    detail = answer.json()["error"]["details"][0]
    assert (detail["reason"], detail["limitMib"]) == ("NO_SPACE", LIMIT_MIB)
    assert "larger size" in answer.json()["error"]["message"]
    assert ada.inside(id_, "GET", "/-/files/big.bin").status_code == 404
    assert ada.inside(id_, "GET", "/-/files/kept.txt").text == "small"
    assert ada.state(id_) == "RUNNING"
