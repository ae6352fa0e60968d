"""The audit log: any change, gap or swap shows, and a clean log never does."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.breakdown import Breakdown, Cause
from shared.domain.events import Event, broken_link
from shared.domain.money import Micros
from shared.domain.names import Uid
from shared.domain.states import Kind, Reason, State
from tests.domain.builders_workstation import NOW, UID

OTHER: dict[str, Any] = {
    "uid": Uid("another"),
    "n": 99,
    "kind": Kind.FAILED,
    "state": State.ERROR,
    "time": NOW + timedelta(microseconds=1),
    "actor": "mallory",
    "reason": Reason.ADMIN,
    "message": "nothing happened",
    "epoch": 99,
    "request_id": "r-99",
    "cost": Micros(99),
    "previous_hash": "0" * 64,
    "hash": "0" * 64,
    "breakdown": Breakdown(Cause.CRASH_LOOP),
}
COVERED = sorted(set(OTHER))


def a_log(length: int) -> list[Event]:
    log: list[Event] = []
    for n in range(1, length + 1):
        event = Event(
            uid=UID,
            n=n,
            kind=Kind.SAVED,
            state=State.RUNNING,
            time=NOW + timedelta(seconds=n),
            actor="ada",
            reason=None,
            message=f"Größe {n}",
            epoch=1,
            request_id=f"r-{n}",
            cost=Micros(n),
            previous_hash=log[-1].hash if log else "",
        )
        log.append(replace(event, hash=event.digest()))
    return log


LENGTHS = st.integers(min_value=1, max_value=8)


@given(LENGTHS)
def test_a_whole_log_is_not_complained_about(length: int) -> None:
    assert broken_link(a_log(length)) is None
    assert broken_link([]) is None


def test_every_field_but_the_attempt_is_covered() -> None:
    assert {field.name for field in fields(Event)} == {*COVERED, "attempt"}
    (event,) = a_log(1)
    assert replace(event, attempt="another").digest() == event.hash


@pytest.mark.parametrize("name", COVERED)
@given(LENGTHS, st.data())
def test_a_changed_field_is_found_where_it_was_changed(name: str, length: int, data: st.DataObject) -> None:
    log = a_log(length)
    at = data.draw(st.integers(0, length - 1))

    log[at] = replace(log[at], **{name: OTHER[name]})

    assert broken_link(log) == at + 1


@given(LENGTHS, st.data())
def test_a_changed_event_with_a_hash_made_anew_is_found_at_the_next_one(
    length: int, data: st.DataObject
) -> None:
    log = a_log(length + 1)
    at = data.draw(st.integers(0, length - 1))
    forged = replace(log[at], actor="mallory")

    log[at] = replace(forged, hash=forged.digest())

    assert broken_link(log) == at + 2


@given(LENGTHS, st.data())
def test_a_removed_event_is_found(length: int, data: st.DataObject) -> None:
    """But for the last, which the record's own number and hash give away."""
    log = a_log(length + 1)
    at = data.draw(st.integers(0, length - 1))

    del log[at]

    assert broken_link(log) == at + 1


@given(st.integers(2, 8), st.data())
def test_two_swapped_events_are_found(length: int, data: st.DataObject) -> None:
    log = a_log(length)
    first, second = sorted(data.draw(st.sets(st.integers(0, length - 1), min_size=2, max_size=2)))

    log[first], log[second] = log[second], log[first]

    assert broken_link(log) == first + 1


@given(LENGTHS, st.data())
def test_a_repeated_event_is_found(length: int, data: st.DataObject) -> None:
    log = a_log(length)
    at = data.draw(st.integers(0, length - 1))

    log.insert(at + 1, log[at])

    assert broken_link(log) == at + 2


def test_the_same_moment_in_another_zone_is_the_same_event() -> None:
    """A store may hand times back in another zone; the hash is of the moment."""
    (event,) = a_log(1)
    elsewhere = replace(event, time=event.time.astimezone(None))

    assert broken_link([elsewhere]) is None
