"""The receipt's own arithmetic notices what does not add up."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from demo.story.observation import NotObserved
from demo.story.receipt import broken_links, see_the_amounts
from shared.adapters.firestore.codec import encode_event
from shared.domain.events import Event
from shared.domain.money import Micros
from shared.domain.names import Owner, Uid
from shared.domain.states import Kind, State

BEGIN = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def chain() -> list[dict[str, Any]]:
    """Three events as the product writes them."""
    events: list[Event] = []
    for n, kind in enumerate((Kind.CREATED, Kind.PROVISIONED, Kind.STARTED), start=1):
        event = Event(
            uid=Uid("u"),
            n=n,
            kind=kind,
            state=State.RUNNING,
            time=BEGIN + timedelta(seconds=n),
            actor="ada",
            reason=None,
            message="déjà vu",
            epoch=1,
            request_id="r",
            cost=Micros(n),
            previous_hash=events[-1].hash if events else "",
        )
        events.append(replace(event, hash=event.digest()))
    return [encode_event(event, Owner("ada")) for event in events]


def test_a_chain_as_the_product_writes_it_is_whole(chain: list[dict[str, Any]]) -> None:
    assert list(broken_links(chain)) == []


def test_a_changed_event_breaks_it(chain: list[dict[str, Any]]) -> None:
    chain[1]["cost"] = 0

    assert list(broken_links(chain)) == [2]


def test_a_missing_event_breaks_it(chain: list[dict[str, Any]]) -> None:
    del chain[1]

    assert list(broken_links(chain)) == [2]


@pytest.mark.parametrize("amount", [24, 26])
def test_an_amount_within_a_millionth_is_right(amount: int) -> None:
    see_the_amounts([interval(amount)])


def test_a_wrong_amount_is_seen() -> None:
    with pytest.raises(NotObserved):
        see_the_amounts([interval(28)])


def test_requests_are_paid_for_as_well() -> None:
    see_the_amounts([interval(29) | {"requests": 10}])
    with pytest.raises(NotObserved):
        see_the_amounts([interval(25) | {"requests": 10}])


def interval(amount: int) -> dict[str, Any]:
    """One second at $0.09 an hour."""
    times = {"start": BEGIN, "end": BEGIN + timedelta(seconds=1)}
    return {**times, "rate": 90_000, "requests": 0, "fee": 400_000, "amount": amount}
