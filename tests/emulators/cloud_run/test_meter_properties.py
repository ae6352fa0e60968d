"""What must hold of every bill, whatever the instances did."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from emulators.cloud_run.meter.facts import Fact, Kind, decode, encode
from emulators.cloud_run.meter.history import History, recall
from emulators.cloud_run.meter.prices import Item
from emulators.cloud_run.meter.spans import Basis, spans
from tests.emulators.cloud_run.meter_facts import MIB, SERVICE, Course, allocation, billed, facts, history

TIMES = st.integers(0, 3_000_000)
CUTS = st.integers(0, 80_000_000)


@st.composite
def a_course(draw: st.DrawFn, index: int) -> Course:
    """An instance: times in any order are put into the order of a life; what is left out has not happened yet."""
    started, ready, stopping, gone = sorted(draw(st.lists(TIMES, min_size=4, max_size=4)))
    reached = draw(st.sampled_from([1, 2, 3, 4]))
    requests = draw(st.lists(st.tuples(TIMES, TIMES).map(sorted), max_size=5)) if reached > 1 else []
    return Course(
        allocation(
            f"i{index}",
            draw(st.sampled_from([80, 500, 1000, 4000])),
            draw(st.integers(128, 8192)) * MIB,
            cpu_idle=draw(st.booleans()),
        ),
        started,
        ready if reached > 1 else None,
        [(max(ready, first), max(ready, last)) for first, last in requests],
        stopping if reached > 2 else None,
        gone if reached > 3 else None,
    )


@st.composite
def histories(draw: st.DrawFn) -> History:
    courses = [draw(a_course(index)) for index in range(draw(st.integers(1, 3)))]
    minimums = sorted(draw(st.lists(st.tuples(TIMES, st.integers(0, 3)), max_size=3)))
    return history(*courses, minimums=minimums)


@given(histories(), st.lists(CUTS, min_size=3, max_size=3).map(sorted))
def test_the_bills_of_two_times_add_up_to_the_bill_of_both(told: History, cuts: list[int]) -> None:
    first, middle, last = cuts
    parts = [billed(told, window) for window in ((first, middle), (middle, last))]
    whole = billed(told, (first, last))

    for item in Item:
        assert sum(part.quantity(item) for part in parts) == whole.quantity(item)
    lines = sum(len(part.lines) for part in parts)
    assert whole.total <= sum(part.total for part in parts) <= whole.total + lines


@given(histories(), CUTS, CUTS)
def test_a_bill_is_never_negative_and_grows_with_its_time(told: History, end: int, more: int) -> None:
    before, after = billed(told, (0, end)), billed(told, (0, end + more))

    assert all(line.quantity > 0 for line in before.lines)
    assert 0 <= before.total <= after.total


@given(histories(), st.integers(0, 5_000_000), st.integers(0, 5_000_000))
def test_a_bill_never_shrinks_as_time_goes_by(told: History, wait: int, more: int) -> None:
    now = told.latest + wait

    assert billed(told, now=now).total <= billed(told, now=now + more).total


@given(st.data())
def test_what_is_billed_so_far_is_never_taken_back_by_what_comes_later(data: st.DataObject) -> None:
    courses = [data.draw(a_course(index)) for index in range(data.draw(st.integers(1, 3)))]
    minimums = sorted(data.draw(st.lists(st.tuples(TIMES, st.integers(0, 3)), max_size=3)))
    told = facts(*courses, minimums=minimums)
    known = data.draw(st.integers(0, len(told)))

    assert billed(recall(told[:known])).total <= billed(recall(told)).total


@given(histories())
def test_no_moment_of_an_instance_is_billed_twice(told: History) -> None:
    by_instance: dict[str, list[tuple[int, int]]] = {}
    for span in spans(told, SERVICE, told.latest):
        by_instance.setdefault(span.allocation.instance, []).append((span.start, span.end))

    for stretches in by_instance.values():
        ordered = sorted(stretches)
        assert all(start < end for start, end in ordered)
        assert all(one[1] <= two[0] for one, two in pairwise(ordered))


@given(histories())
def test_idle_minimum_time_is_never_more_than_the_minimum_asks_for(told: History) -> None:
    kept = [span for span in spans(told, SERVICE, told.latest) if span.basis is Basis.IDLE_MINIMUM]
    steps = told.minimums.get(SERVICE, [])
    for moment in {span.start for span in kept}:
        count = next((count for time, count in reversed(steps) if time <= moment), 0)
        assert sum(span.start <= moment < span.end for span in kept) <= count


@given(
    st.lists(st.tuples(TIMES, TIMES).map(sorted).map(tuple), min_size=1, max_size=8),
    st.randoms(use_true_random=False),
)
def test_requests_cost_the_union_of_their_times_in_whatever_order_they_came(
    requests: list[tuple[int, int]], chance: random.Random
) -> None:
    """Between the union and the union with each stretch rounded up; and order never matters."""
    told = history(Course(allocation(), requests=requests))
    milliseconds = {moment for first, last in requests for moment in range(first // 1000, -(-last // 1000))}
    shuffled = chance.sample(requests, len(requests))

    cpu = billed(told).quantity(Item.ACTIVE_CPU)
    assert cpu <= (len(milliseconds) + 100 * len(requests)) * 10**6
    assert cpu >= (len(milliseconds) - 2 * len(requests)) * 10**6
    again = history(Course(allocation(), requests=shuffled))
    assert [line.quantity for line in billed(again).lines] == [line.quantity for line in billed(told).lines]


@given(histories(), histories())
def test_services_do_not_change_each_others_bills(one: History, other: History) -> None:
    """The facts of two services may lie between each other in any way that keeps their times."""
    renamed = {f"other-{name}": life for name, life in other.lives.items()}
    both = History(lives={**one.lives}, minimums=one.minimums, latest=max(one.latest, other.latest))
    for name, life in renamed.items():
        both.lives[name] = life
        life.allocation = allocation(name, service="ws-b", cpu_idle=life.allocation.cpu_idle)

    now = both.latest
    alone = billed(one, now=now)
    assert billed(both, now=now).lines == alone.lines


@given(histories(), st.integers(0, 3))
def test_more_minimum_never_costs_less(told: History, more: int) -> None:
    raised = History(told.lives, {SERVICE: [(0, 3 + more)]}, told.latest)

    assert billed(told).total <= billed(raised).total


@given(st.integers(0, 10**16), st.sampled_from(sorted(Kind)), st.text(max_size=5), st.integers(0, 100))
def test_a_fact_is_read_as_it_was_written(time: int, kind: Kind, name: str, minimum: int) -> None:
    given_ = allocation(name) if kind is Kind.STARTED else None
    fact = Fact(time, kind, name, given_, minimum=minimum if kind is Kind.MINIMUM else 0)

    assert decode(encode(fact)) == fact
    assert recall([fact]).latest == time
