"""The one transition table: complete, closed, and true in what it does to the record and the log."""

import itertools
from dataclasses import replace

import pytest

from shared.domain.errors import InvalidTransition
from shared.domain.events import broken_link
from shared.domain.facts import Fact, Origin
from shared.domain.operations import Operation, Verb
from shared.domain.states import COUNTED, TRANSITIONS, Kind, State, target
from shared.domain.transition import transition
from tests.domain.builders_workstation import (
    ID,
    MINUTE,
    NOW,
    OWNER,
    POLICY,
    UID,
    a_reservation,
    a_user,
    a_workstation,
)
from tests.domain.model_world import a_new_world

PAIRS = list(itertools.product(State, Kind))


@pytest.mark.parametrize(("state", "kind"), PAIRS, ids=[f"{state}-{kind}" for state, kind in PAIRS])
def test_every_state_and_fact_is_in_the_table_or_refused(state: State, kind: Kind) -> None:
    """And a refusal names both, for whoever reads it."""
    move = TRANSITIONS[kind]
    if state in move.sources:
        assert target(state, kind) is (move.target or state)
        return
    with pytest.raises(InvalidTransition) as refused:
        target(state, kind)
    assert refused.value.metadata == {"state": state, "fact": kind}


def test_every_fact_has_a_row_and_every_state_is_reached() -> None:
    assert set(TRANSITIONS) == set(Kind)
    assert {move.target for move in TRANSITIONS.values()} == {*State, None}


def test_deleted_never_returns() -> None:
    assert not [kind for kind, move in TRANSITIONS.items() if State.DELETED in move.sources]


def test_only_a_delete_leads_out_of_deleting() -> None:
    leaving = {kind for kind, move in TRANSITIONS.items() if State.DELETING in move.sources and move.target}

    assert leaving == {Kind.DELETED}


@pytest.mark.parametrize("state", sorted(set(State) - {State.DELETED}))
def test_every_state_has_a_way_to_deleted(state: State) -> None:
    reached = {state}
    for _ in State:
        reached |= {move.target for move in TRANSITIONS.values() if move.target and move.sources & reached}

    assert State.DELETED in reached


LEGAL = [(state, kind) for state, kind in PAIRS if state in TRANSITIONS[kind].sources]


@pytest.mark.mission("SEC-08")
@pytest.mark.parametrize(("state", "kind"), LEGAL, ids=[f"{state}-{kind}" for state, kind in LEGAL])
def test_each_transition_is_one_batch_whose_parts_agree(state: State, kind: Kind) -> None:
    """One event that follows the one before, a reservation while it counts, an interval only with a record of it."""
    before = a_workstation(state, event_seq=0 if kind is Kind.CREATED else 7, event_hash="before")
    held = a_reservation(a_workstation())
    user = a_user(reservations={ID: held} if state in COUNTED or before.interval else {})
    fact = Fact(kind=kind, time=NOW, origin=Origin(actor="ada", request_id="r-1"), reservation=held)

    change = transition(before, user, fact, POLICY)

    after, event = change.workstation, change.event
    assert after.state is target(state, kind)
    assert (event.n, event.kind, event.state, event.uid) == (before.event_seq + 1, kind, after.state, UID)
    assert (event.actor, event.request_id, event.epoch) == ("ada", "r-1", after.epoch)
    assert event.previous_hash == "before"
    assert event.hash == event.digest() == after.event_hash
    assert after.event_seq == event.n
    assert after.epoch >= before.epoch
    assert after.state_time == (
        NOW if after.state is not state or kind is Kind.CREATED else before.state_time
    )
    assert (ID in change.user.reservations) is (after.interval is not None or after.state in COUNTED)
    assert sum(row.amount for row in change.intervals) == sum(change.user.months.values())


def test_a_session_begins_with_an_epoch_of_its_own() -> None:
    world = a_new_world(NOW, POLICY).converge()
    assert world.workstation.epoch == 1

    again = world.later(MINUTE).stopped_by_user().later(MINUTE).converge().woken()

    assert again.workstation.epoch == 2
    assert again.workstation.service_name == world.workstation.service_name


def test_the_log_of_a_life_is_whole_and_counts_its_cost() -> None:
    world = a_new_world(NOW, POLICY).converge().later(6 * MINUTE).converge().later(MINUTE)

    deleted = world.deleted_by_user().converge()

    assert broken_link(list(deleted.events)) is None
    costs = [event.cost for event in deleted.events]
    assert costs == sorted(costs)
    assert costs[-1] == sum(row.amount for row in deleted.ledger)


# --- operations ------------------------------------------------------------------------------------------------


def an_operation(verb: Verb) -> Operation:
    return Operation(id="op-1", owner=OWNER, workstation=ID, uid=UID, verb=verb, create_time=NOW)


def test_an_operation_tells_the_stages_on_the_way_and_leaves_the_record_when_done() -> None:
    world = a_new_world(NOW, POLICY)
    waited = replace(world, workstation=replace(world.workstation, operations=(an_operation(Verb.CREATE),)))

    provisioned = waited.record(Kind.PROVISIONED).workstation.operations
    assert [stage.state for stage in provisioned[0].stages] == [State.STARTING]
    assert not provisioned[0].done

    assert waited.converge().workstation.operations == ()


@pytest.mark.parametrize("verb", [Verb.CREATE, Verb.WAKE])
def test_an_operation_whose_workstation_fails_is_done_with_the_reason(verb: Verb) -> None:
    world = a_new_world(NOW, POLICY)
    before = replace(world.workstation, operations=(an_operation(verb),))
    fact = Fact(kind=Kind.FAILED, time=NOW, origin=Origin(actor="sweep"), message="No luck.")

    (operation,) = transition(before, world.user, fact, POLICY).operations

    assert operation.done
    assert (operation.error_code, operation.error_message) == ("UNAVAILABLE", "No luck.")


def test_a_wake_whose_stop_is_called_off_is_done() -> None:
    """Whoever waits for it is told, not left waiting."""
    world = a_new_world(NOW, POLICY).converge().later(6 * MINUTE).record(Kind.STOP_BEGUN)
    waiting = replace(world.workstation, operations=(an_operation(Verb.WAKE),), wake_pending=True)
    fact = Fact(kind=Kind.STOP_CANCELLED, time=world.now, origin=Origin(actor="sweep"))

    (operation,) = transition(waiting, world.user, fact, POLICY).operations

    assert operation.done
    assert not operation.error_code


def test_a_wake_of_a_stopping_one_waits_through_its_stop() -> None:
    world = a_new_world(NOW, POLICY).converge().record(Kind.STOP_BEGUN)
    wanted = replace(world.workstation, operations=(an_operation(Verb.WAKE),), wake_pending=True)

    stopped = replace(world, workstation=wanted).record(Kind.STOPPED)

    assert [operation.done for operation in stopped.workstation.operations] == [False]
