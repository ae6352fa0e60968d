"""The contract of the port `Records`, held in memory and in Firestore alike: one record, one batch, one life."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.errors import AlreadyExists, DormouseError, StaleWrite
from shared.domain.names import Owner, Uid
from shared.domain.operations import Stage, Verb
from shared.domain.policy import Priority
from shared.domain.states import Reason, State
from shared.domain.usage import Usage
from shared.ports import Batch, LedgerRow, Records, Stored
from tests.builders import (
    ADA,
    NOW,
    UID,
    a_backup,
    a_ledger_row,
    a_request,
    a_spec,
    a_user,
    a_workstation,
    an_event,
    an_interval,
    an_open_interval,
    an_operation,
)
from tests.contracts.record_steps import ID, MICROSECOND, SECOND, create, ledger_of, race, stored, unsigned

SECOND_LIFE = Uid("bbbbbbbbbbbbbbbbbbbb")


class TestWorkstations:
    def test_an_absent_one_is_none(self, records: Records) -> None:
        assert records.workstation(ID) is None

    def test_it_comes_back_as_it_was_written(self, records: Records) -> None:
        create(records, a_workstation())
        assert stored(records).value == a_workstation()

    def test_every_field_comes_back_to_the_microsecond(self, records: Records) -> None:
        stage = Stage(State.STARTING, NOW, NOW + MICROSECOND)
        spec = a_spec(
            priority=Priority.HIGH,
            env={"__RESERVED__": "1", "EMPTY": "", "ПУТЬ": "a\nb"},
            idle_timeout=timedelta(seconds=90, microseconds=1),
            stop_timeout=timedelta(hours=24),
        )
        full = a_workstation(
            spec=spec,
            reason=Reason.OOM,
            message="Memory ran out – 内存不足",
            k=2,
            service_name="ws-x-2",
            uri="https://ws.example",
            boot_id="boot",
            session_start=NOW,
            deadline=NOW + MICROSECOND,
            not_after=NOW + SECOND,
            due_at=NOW,
            wake_pending=True,
            failures=3,
            retry_at=NOW,
            backup=a_backup(size=2**40),
            saved_time=NOW,
            unsaved_changes=True,
            interval=an_open_interval(accrued=2**62),
            operations=(an_operation(stages=(stage, Stage(State.RUNNING, NOW))), an_operation(id="op-2")),
            hold_until=NOW,
            event_seq=7,
            event_hash="c" * 64,
            delete_time=NOW,
        )
        create(records, full)
        assert stored(records).value == full

    def test_a_write_replaces_the_whole_so_that_what_is_gone_is_gone(self, records: Records) -> None:
        create(
            records,
            a_workstation(spec=a_spec(env={"A": "1", "B": "2"}), backup=a_backup(), reason=Reason.USER),
        )
        bare = a_workstation(spec=a_spec(env={"B": "2"}))
        records.write(Batch(workstation=Stored(bare, stored(records).version)))
        assert stored(records).value == bare

    def test_a_second_create_is_refused_and_changes_nothing(self, records: Records) -> None:
        create(records, a_workstation())
        with pytest.raises(AlreadyExists) as caught:
            create(records, a_workstation(uid=SECOND_LIFE))
        assert caught.value.reason == "WORKSTATION_EXISTS"
        assert stored(records).value.uid == UID

    def test_a_write_over_an_old_version_is_stale_and_changes_nothing(self, records: Records) -> None:
        create(records, a_workstation())
        old = stored(records)
        records.write(Batch(workstation=Stored(a_workstation(state=State.IDLE), old.version)))
        with pytest.raises(StaleWrite):
            records.write(Batch(workstation=Stored(a_workstation(state=State.STOPPING), old.version)))
        assert stored(records).value.state is State.IDLE

    def test_a_write_that_changes_nothing_leaves_the_version(self, records: Records) -> None:
        """Whoever read before it read the truth; so a version is no lock, and only a change spends it."""
        create(records, a_workstation())
        old = stored(records)
        records.write(Batch(workstation=old, operations=[an_operation()]))
        assert stored(records) == old
        assert records.operation("op-1") == an_operation()

    def test_of_20_that_write_over_one_version_one_wins(self, records: Records) -> None:
        create(records, a_workstation())
        old = stored(records)
        errors = race(
            20, lambda n: records.write(Batch(workstation=Stored(a_workstation(message=str(n)), old.version)))
        )
        assert [n for n, error in enumerate(errors) if error is None] == [int(stored(records).value.message)]
        assert {type(error) for error in errors if error} == {StaleWrite}

    def test_of_50_that_create_one_wins(self, records: Records) -> None:
        errors = race(50, lambda n: create(records, a_workstation(message=str(n)), event=an_event()))
        assert [n for n, error in enumerate(errors) if error is None] == [int(stored(records).value.message)]
        assert {type(error) for error in errors if error} == {AlreadyExists}


class TestBatches:
    def test_everything_is_written(self, records: Records) -> None:
        create(
            records,
            a_workstation(),
            user=Stored(a_user(), None),
            event=an_event(),
            intervals=[an_interval(n=1), an_interval(n=2)],
            operations=[an_operation(id="op-1"), an_operation(id="op-2", verb=Verb.STOP)],
            request=a_request(),
        )
        assert records.user(ADA).value == a_user()
        assert unsigned(records.events(ID, UID)) == [an_event()]
        assert [row.interval.n for row in ledger_of(records)] == [1, 2]
        assert records.operation("op-1") == an_operation(id="op-1")
        assert records.operation("op-2") == an_operation(id="op-2", verb=Verb.STOP)
        assert records.request("key-1") == a_request()

    @pytest.mark.parametrize(
        ("part", "error"),
        [
            ({"workstation": "stale"}, StaleWrite),
            ({"user": Stored(a_user(), None)}, StaleWrite),
            ({"event": an_event(n=1)}, StaleWrite),
            ({"intervals": [an_interval(n=2), an_interval(n=1)]}, StaleWrite),
            ({"request": a_request()}, AlreadyExists),
        ],
        ids=["workstation", "user", "event", "interval", "request"],
    )
    def test_one_part_that_cannot_be_written_stops_all(
        self, records: Records, part: dict[str, Any], error: type[DormouseError]
    ) -> None:
        create(
            records,
            a_workstation(),
            user=Stored(a_user(), None),
            event=an_event(),
            intervals=[an_interval()],
            request=a_request(),
        )
        before, user = stored(records), records.user(ADA)
        if part.get("workstation") == "stale":
            records.write(Batch(workstation=Stored(a_workstation(message="newer"), before.version)))
            part = {"workstation": Stored(a_workstation(message="new"), before.version)}
            before = stored(records)
        whole: dict[str, Any] = {
            "workstation": Stored(a_workstation(message="new"), before.version),
            "user": replace(user, value=a_user(daily_cap=1)),
            "event": an_event(n=2),
            "intervals": [an_interval(n=3)],
            "operations": [an_operation(id="op-new")],
            "request": a_request(key="key-new"),
        }
        with pytest.raises(error):
            records.write(Batch(**(whole | part)))
        assert (stored(records), records.user(ADA)) == (before, user)
        assert unsigned(records.events(ID, UID)) == [an_event()]
        assert [row.interval for row in ledger_of(records)] == [an_interval()]
        assert records.operation("op-new") is None
        assert records.request("key-new") is None

    def test_a_repeated_request_is_told_apart_from_a_workstation_that_exists(self, records: Records) -> None:
        """The repetition of a create meets both; it is the request whose answer its caller wants."""
        create(records, a_workstation(), request=a_request())
        with pytest.raises(AlreadyExists) as caught:
            create(records, a_workstation(), request=a_request())
        assert caught.value.reason == "REQUEST_EXISTS"

    def test_an_operation_is_written_anew_with_each_stage(self, records: Records) -> None:
        create(
            records,
            a_workstation(),
            operations=[an_operation(error_code="X", stages=(Stage(State.PENDING, NOW),))],
        )
        done = an_operation(done_time=NOW)
        records.write(Batch(workstation=stored(records), operations=[done]))
        assert records.operation("op-1") == done

    def test_absent_operations_and_requests_are_none(self, records: Records) -> None:
        assert records.operation("op-1") is None
        assert records.request("a/b") is None


class TestEvents:
    def test_they_come_in_the_order_of_their_numbers(self, records: Records) -> None:
        """By number, not by text: 10 comes after 9."""
        create(records, a_workstation(), event=an_event(n=1))
        for n in range(2, 12):
            records.write(Batch(workstation=stored(records), event=an_event(n=n)))
        assert [event.n for event in records.events(ID, UID)] == list(range(1, 12))

    def test_every_field_comes_back(self, records: Records) -> None:
        event = an_event(
            reason=Reason.DAILY_CAP, message="спит", request_id="r", cost=5, previous_hash="d" * 64
        )
        create(records, a_workstation(), event=event)
        [found] = records.events(ID, UID)
        assert replace(found, attempt="") == event
        assert found.hash == found.digest()

    def test_one_that_was_written_is_never_overwritten(self, records: Records) -> None:
        create(records, a_workstation(), event=an_event(message="first"))
        with pytest.raises(StaleWrite):
            records.write(Batch(workstation=stored(records), event=an_event(message="second")))
        assert [event.message for event in records.events(ID, UID)] == ["first"]

    def test_another_workstations_are_not_among_them(self, records: Records) -> None:
        create(records, a_workstation(), event=an_event())
        create(records, a_workstation(name="other"), event=an_event())
        assert len(records.events(ID, UID)) == 1


class TestLedger:
    def test_a_replay_meets_its_own_row_and_books_nothing_twice(self, records: Records) -> None:
        create(records, a_workstation(), intervals=[an_interval()])
        with pytest.raises(StaleWrite):
            records.write(Batch(workstation=stored(records), intervals=[an_interval(amount=9)]))
        assert ledger_of(records) == [
            LedgerRow(interval=an_interval(), owner=ADA, project="demo", workstation=ID)
        ]

    def test_rows_come_by_their_start_and_from_a_half_open_range(self, records: Records) -> None:
        starts = [NOW + 2 * SECOND, NOW, NOW + SECOND, NOW - MICROSECOND, NOW + 3 * SECOND]
        rows = [an_interval(n=n, start=start) for n, start in enumerate(starts)]
        create(records, a_workstation(), intervals=rows)
        found = records.ledger(ADA, NOW, NOW + 3 * SECOND)
        assert [row.interval.start for row in found] == [NOW, NOW + SECOND, NOW + 2 * SECOND]

    def test_another_owners_rows_are_not_among_them(self, records: Records) -> None:
        create(records, a_workstation(), intervals=[an_interval()])
        assert ledger_of(records, Owner("bob")) == []


class TestRowsOfTheirOwn:
    """Requests that are counted when nothing is open any more."""

    def test_it_is_booked_with_its_owners_totals(self, records: Records) -> None:
        row = a_ledger_row(an_interval(usage=Usage.REQUESTS, n=0, requests=7, fee=400_000, tally="t"))
        records.book(row, Stored(a_user(days={"2026-11-05": 3}), None))
        assert ledger_of(records) == [row]
        assert records.user(ADA).value.days == {"2026-11-05": 3}

    def test_handed_in_again_it_is_booked_once(self, records: Records) -> None:
        row = a_ledger_row(an_interval(n=0, tally="t"))
        records.book(row, Stored(a_user(days={"2026-11-05": 3}), None))
        records.book(row, replace(records.user(ADA), value=a_user(days={"2026-11-05": 6})))
        assert ledger_of(records) == [row]
        assert records.user(ADA).value.days == {"2026-11-05": 3}

    def test_over_an_old_budget_it_is_stale_and_writes_nothing(self, records: Records) -> None:
        records.save_user(Stored(a_user(daily_cap=1), None))
        with pytest.raises(StaleWrite):
            records.book(a_ledger_row(an_interval(n=0, tally="t")), Stored(a_user(), None))
        assert ledger_of(records) == []
        assert records.user(ADA).value.daily_cap == 1

    def test_it_needs_no_workstation_and_meets_no_interval(self, records: Records) -> None:
        create(records, a_workstation(), intervals=[an_interval(n=0)])
        records.book(a_ledger_row(an_interval(n=0, tally="t")), records.user(ADA))
        assert len(ledger_of(records)) == 2


class TestPurge:
    def test_a_second_life_meets_nothing_of_the_first(self, records: Records) -> None:
        create(records, a_workstation(state=State.DELETED), event=an_event(), intervals=[an_interval()])
        records.purge(stored(records))
        assert records.workstation(ID) is None
        create(
            records,
            a_workstation(uid=SECOND_LIFE),
            event=an_event(uid=SECOND_LIFE),
            intervals=[an_interval(uid=SECOND_LIFE)],
        )
        assert unsigned(records.events(ID, SECOND_LIFE)) == [an_event(uid=SECOND_LIFE)]
        assert unsigned(records.events(ID, UID)) == [an_event()]
        assert {row.interval.uid for row in ledger_of(records)} == {UID, SECOND_LIFE}

    def test_one_that_changed_meanwhile_stays(self, records: Records) -> None:
        create(records, a_workstation(state=State.DELETED))
        old = stored(records)
        records.write(Batch(workstation=Stored(a_workstation(state=State.STARTING), old.version)))
        with pytest.raises(StaleWrite):
            records.purge(old)
        assert stored(records).value.state is State.STARTING

    def test_a_purged_one_can_neither_be_purged_nor_written_again(self, records: Records) -> None:
        create(records, a_workstation(state=State.DELETED))
        old = stored(records)
        records.purge(old)
        with pytest.raises(StaleWrite):
            records.purge(old)
        with pytest.raises(StaleWrite):
            records.write(Batch(workstation=old))
        assert records.workstation(ID) is None
