"""An invariant that never fails shows nothing: each is fed what it is there to find."""

from dataclasses import replace
from typing import Any

import pytest

from proof import invariants
from proof.evidence import Evidence, Service
from proof.told import Told, Write
from tests.proof.conftest import BEGAN, FILES, ID, Life, archive, at, backup_of, chain, row, stored


def breached(found: Evidence, told: Told) -> set[str]:
    return {violation.invariant for violation in invariants.violations(found, told)}


def test_a_life_in_order_breaches_nothing(life: Life) -> None:
    assert invariants.violations(life.found, life.told) == []


def test_a_running_one_in_order_breaches_nothing(running: Life) -> None:
    assert invariants.violations(running.found, running.told) == []


def test_a_missing_event(life: Life) -> None:
    events = [event for event in life.found.events if event["n"] != 3]

    assert "the events are a whole chain" in breached(replace(life.found, events=events), life.told)


def test_no_event_at_all(life: Life) -> None:
    assert "the events are a whole chain" in breached(replace(life.found, events=[]), life.told)


@pytest.mark.parametrize("field", ["hash", "previousHash", "message", "actor", "epoch", "cost", "requestId"])
def test_an_event_that_was_changed_afterwards(life: Life, field: str) -> None:
    events = [dict(event) for event in life.found.events]
    events[2][field] = 7 if field in ("epoch", "cost") else "changed"

    assert "the events are a whole chain" in breached(replace(life.found, events=events), life.told)


def test_a_log_that_was_written_anew_is_told_by_what_was_seen_before(life: Life) -> None:
    life.told.seen_events = {3: life.found.events[2]["hash"], 4: "the hash that it had"}

    assert breached(life.found, life.told) == {"the log only grows"}


def test_a_life_that_goes_on_after_its_end(life: Life) -> None:
    events = chain(("created", "PENDING", 0), ("deleted", "DELETED", 1), ("started", "RUNNING", 2))

    assert "the log only grows" in breached(replace(life.found, events=events), life.told)


@pytest.mark.parametrize("field", ["actor", "reason", "requestId"])
def test_an_event_that_does_not_say_who_or_why(life: Life, field: str) -> None:
    events = [dict(event) for event in life.found.events]
    events[3][field] = ""

    assert "each event says who and why" in breached(replace(life.found, events=events), life.told)


def test_a_record_that_has_not_its_last_event(life: Life) -> None:
    assert breached(life.record(eventSeq=5), life.told) == {"the record agrees with its log"}


@pytest.mark.parametrize("state", ["STOPPING", "STARTING", "ERROR", "RUNNING"])
def test_a_record_that_is_stuck(life: Life, state: str) -> None:
    assert "the record rests as told" in breached(life.record(state=state), life.told)


def test_a_record_that_is_gone(life: Life) -> None:
    assert "the record rests as told" in breached(replace(life.found, record=None), life.told)


@pytest.mark.parametrize(
    "changes", [{"operations": [{"id": "op-2"}]}, {"wakePending": True}, {"openInterval": {"start": BEGAN}}]
)
def test_a_record_with_something_open(life: Life, changes: dict[str, object]) -> None:
    assert "the record rests as told" in breached(life.record(**changes), life.told)


def test_a_reservation_of_what_is_stopped(life: Life) -> None:
    assert life.found.user is not None
    user = {**life.found.user, "reservations": {ID: {"until": at(60)}}}

    assert breached(replace(life.found, user=user), life.told) == {"reservations hold only what runs"}


def test_what_runs_without_a_reservation(running: Life) -> None:
    user = {"reservations": {}, "days": {}, "months": {}}

    assert "reservations hold only what runs" in breached(replace(running.found, user=user), running.told)


def test_totals_that_are_a_micro_dollar_off(life: Life) -> None:
    assert life.found.user is not None
    user = {**life.found.user, "months": {"2026-03": 225, "2026-04": 524}}

    assert breached(replace(life.found, user=user), life.told) == {"the ledger adds up to the totals"}


def test_an_interval_that_was_booked_twice(life: Life) -> None:
    key, interval = row(4, 20, 31, 275)

    seen = breached(replace(life.found, ledger={**life.found.ledger, key: interval}), life.told)

    assert {"the ledger adds up to the totals", "intervals neither overlap nor leave gaps"} <= seen


def test_a_gap_between_two_intervals(life: Life) -> None:
    ledger = dict([row(1, 1, 10, 225), row(2, 11, 20, 225), row(3, 20, 31, 275)])

    assert "intervals neither overlap nor leave gaps" in breached(
        replace(life.found, ledger=ledger), life.told
    )


def test_a_price_that_is_not_exact(life: Life) -> None:
    ledger = dict([row(1, 1, 10, 225), row(2, 10, 20, 251), row(3, 20, 31, 274)])

    assert breached(replace(life.found, ledger=ledger), life.told) == {"prices are exact"}


def with_a_row(life: Life, key: str, added: dict[str, Any]) -> Evidence:
    """And the totals that it makes."""
    assert life.found.user is not None
    months = {**life.found.user["months"], "2026-04": life.found.user["months"]["2026-04"] + added["amount"]}
    days = {**life.found.user["days"], "2026-04-01": life.found.user["days"]["2026-04-01"] + added["amount"]}
    user = {**life.found.user, "months": months, "days": days}
    return replace(life.found, ledger={**life.found.ledger, key: added}, user=user)


def test_requests_that_are_not_in_the_price(life: Life) -> None:
    ledger = dict([row(1, 1, 10, 225), row(2, 10, 20, 250, requests=100), row(3, 20, 31, 275)])

    assert breached(replace(life.found, ledger=ledger), life.told) == {"prices are exact"}


def test_a_row_of_requests_alone_belongs_to_no_session_and_has_a_price(life: Life) -> None:
    alone = row(0, 40, 40, 41, requests=101)[1] | {"usage": "REQUESTS", "tally": "t1", "rate": 0}

    assert breached(with_a_row(life, "u1-requests-t1", alone), life.told) == set()
    cheaper = with_a_row(life, "u1-requests-t1", alone | {"amount": 40})
    assert breached(cheaper, life.told) == {"prices are exact"}


def test_requests_of_an_interval_that_ended_as_it_began_are_no_gap(life: Life) -> None:
    """An instance that had only just come to rest was replaced: a new epoch counts its intervals anew."""
    _, rested = row(3, 20, 20, 40, requests=100)
    loaded = row(1, 20, 31, 275)[1] | {"epoch": 2}
    ledger = dict([row(1, 1, 10, 225), row(2, 10, 20, 250)]) | {"u1-2-1": loaded}

    assert (
        breached(
            with_a_row(replace(life, found=replace(life.found, ledger=ledger)), "u1-1-3", rested), life.told
        )
        == set()
    )


def test_a_ledger_row_that_changed(life: Life) -> None:
    life.told.seen_ledger = dict([row(1, 1, 9, 200)])

    assert breached(life.found, life.told) == {"a ledger row never changes"}


def test_two_services_of_one_workstation(life: Life) -> None:
    second = Service(name="ws-u1-2", scaling="MANUAL 0", epoch="1", not_after=None)
    found = replace(life.found, services=[*life.found.services, second])

    assert breached(found, life.told) == {"at most one service"}


def test_two_that_were_scaled_up_at_once(life: Life) -> None:
    life.told.most_scaled_up = 2

    assert breached(life.found, life.told) == {"at most one service"}


def test_an_orphan(life: Life) -> None:
    life.told.rests_in = "PURGED"

    assert "no service without a record" in breached(replace(life.found, record=None), life.told)


def test_a_service_that_is_up_though_its_record_is_stopped(life: Life) -> None:
    (service,) = life.found.services
    found = replace(life.found, services=[replace(service, scaling="AUTOMATIC 1..1")])

    assert breached(found, life.told) == {"record and service agree"}


@pytest.mark.parametrize(
    "changes", [{"epoch": "2"}, {"not_after": at(121)}, {"not_after": None}, {"scaling": "MANUAL 0"}]
)
def test_a_running_service_that_is_not_what_its_record_says(
    running: Life, changes: dict[str, object]
) -> None:
    (service,) = running.found.services
    found = replace(running.found, services=[replace(service, **changes)])  # type: ignore[arg-type]

    assert breached(found, running.told) == {"record and service agree"}


def test_an_instance_that_outlives_its_stop(life: Life) -> None:
    assert breached(replace(life.found, running=["process 7 of ws-u1-1"]), life.told) == {
        "nothing runs for nobody"
    }


def test_an_operation_that_nobody_ends(life: Life) -> None:
    found = replace(life.found, operations={"op-1": {"doneTime": at(2)}, "op-2": {"doneTime": None}})

    assert breached(found, life.told) == {"every acknowledged operation is done"}


def test_an_operation_that_was_forgotten(life: Life) -> None:
    found = replace(life.found, operations={**life.found.operations, "op-2": None})

    assert breached(found, life.told) == {"every acknowledged operation is done"}


def test_an_internal_error(life: Life) -> None:
    life.told.internal_errors.append("POST /v1/workstations: 500")

    assert breached(life.found, life.told) == {"no internal error is shown"}


def test_a_backup_that_is_cut_short(life: Life) -> None:
    (whole,) = life.found.objects
    assert whole.content is not None
    found = replace(life.found, objects=[replace(whole, content=whole.content[:-3])])

    assert breached(found, life.told) == {"an acknowledged save restores"}


def test_a_backup_with_a_flipped_byte(life: Life) -> None:
    (whole,) = life.found.objects
    assert whole.content is not None
    flipped = bytes([whole.content[0] ^ 1]) + whole.content[1:]

    found = replace(life.found, objects=[replace(whole, content=flipped)])

    assert breached(found, life.told) == {"an acknowledged save restores"}


def test_a_backup_that_is_not_there(life: Life) -> None:
    assert breached(replace(life.found, objects=[]), life.told) == {"an acknowledged save restores"}


def test_no_backup_of_what_was_saved(life: Life) -> None:
    assert breached(life.record(backup=None), life.told) == {"an acknowledged save restores"}


@pytest.mark.parametrize(
    "files",
    [{"a.txt": b"one"}, {**FILES, "a.txt": b"old"}, {**FILES, "more.txt": b""}],
    ids=["one file less", "an older one", "one more"],
)
def test_a_whole_backup_of_other_files(life: Life, files: dict[str, bytes]) -> None:
    other = stored(archive(files))
    found = replace(life.record(backup=backup_of(other)), objects=[other])

    assert breached(found, life.told) == {"an acknowledged save restores"}


def test_a_stop_that_did_not_save(life: Life) -> None:
    life.told.writes.append(Write("late.txt", "0" * 64, at(25)))

    assert "nothing acknowledged is lost" in breached(life.found, life.told)


def test_a_killed_instance_may_take_what_was_not_saved(life: Life) -> None:
    life.told.writes.append(Write("late.txt", "0" * 64, at(25)))
    life.told.may_lose = True

    assert breached(life.record(unsavedChanges=True), life.told) == set()
    assert breached(life.found, life.told) == {"a loss is told"}


def test_files_that_are_gone_after_a_start_that_nothing_led_to(life: Life) -> None:
    life.told.may_lose = True
    events = chain(("created", "PENDING", 0), ("started", "RUNNING", 2), ("started", "RUNNING", 8))

    assert "a loss is told" in breached(replace(life.found, events=events), life.told)


def test_files_that_were_read_otherwise_than_written(life: Life) -> None:
    (reading,) = life.told.readings
    life.told.readings = [replace(reading, tree={"a.txt": reading.tree["a.txt"]})]

    assert breached(life.found, life.told) == {"files are read as they were written"}
