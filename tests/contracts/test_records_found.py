"""The contract of the port `Records`, held in memory and in Firestore alike: budgets, lists, and what is due."""

import random
import time
from dataclasses import replace

import pytest

from shared.domain.errors import StaleWrite
from shared.domain.names import Owner, Uid, WorkstationId, shard_of, workstation_id
from shared.domain.states import State
from shared.ports import Batch, Records, Stored
from tests.builders import (
    ADA,
    NOW,
    a_request,
    a_reservation,
    a_user,
    a_workstation,
    an_interval,
)
from tests.contracts.record_steps import ID, MICROSECOND, SECOND, create, ledger_of, race, stored

ODD_OWNERS = [
    "a/b",
    ".",
    "..",
    "__ada__",
    "~ada",
    "ada lovelace",
    "Ада",
    "👩‍💻",
    "x" * 1400,
    "a\nb",
    "users/a/b",
]


class TestUsers:
    def test_one_without_a_record_has_spent_nothing(self, records: Records) -> None:
        assert records.user(ADA) == Stored(a_user(), None)

    def test_every_field_comes_back(self, records: Records) -> None:
        user = a_user(
            daily_cap=0,
            monthly_cap=2**53 + 1,
            days={"2026-11-05": 3},
            months={"2026-11": 4},
            reservations={ID: a_reservation()},
            due_at=NOW,
        )
        records.save_user(Stored(user, None))
        assert records.user(ADA).value == user

    def test_a_reservation_that_was_given_back_is_gone(self, records: Records) -> None:
        records.save_user(
            Stored(a_user(reservations={"ws-a": a_reservation(), "ws-b": a_reservation()}), None)
        )
        less = a_user(reservations={"ws-b": a_reservation(margin=1)})
        records.save_user(replace(records.user(ADA), value=less))
        assert records.user(ADA).value == less

    def test_a_second_create_and_an_old_version_are_stale(self, records: Records) -> None:
        records.save_user(Stored(a_user(), None))
        old = records.user(ADA)
        with pytest.raises(StaleWrite):
            records.save_user(Stored(a_user(daily_cap=1), None))
        records.save_user(replace(old, value=a_user(daily_cap=2)))
        with pytest.raises(StaleWrite):
            records.save_user(replace(old, value=a_user(daily_cap=3)))
        assert records.user(ADA).value.daily_cap == 2

    def test_of_30_wakes_at_once_none_is_forgotten(self, records: Records) -> None:
        """Each reads, reserves and writes until nobody was faster: how a cap holds."""

        def reserve(number: int) -> None:
            while True:
                found = records.user(ADA)
                held = {**found.value.reservations, WorkstationId(f"ws-{number}"): a_reservation()}
                try:
                    return records.save_user(replace(found, value=replace(found.value, reservations=held)))
                except StaleWrite:
                    time.sleep(random.uniform(0.01, 0.2))

        assert race(30, reserve) == [None] * 30
        assert len(records.user(ADA).value.reservations) == 30

    @pytest.mark.parametrize("name", ODD_OWNERS, ids=lambda name: ascii(name)[:12])
    def test_an_owner_of_any_name_has_records_of_his_own(self, records: Records, name: str) -> None:
        owner, twin = Owner(name), Owner(name + "!")
        mine = a_workstation(owner=name, due_at=NOW)
        create(
            records,
            mine,
            user=Stored(a_user(name, daily_cap=1, due_at=NOW), None),
            intervals=[an_interval()],
            request=a_request(key=name, owner=owner),
        )
        assert records.user(owner).value == a_user(name, daily_cap=1, due_at=NOW)
        assert records.user(twin).version is None
        assert list(records.workstations_of(owner, project=None, limit=9, after=None).items) == [mine]
        assert list(records.due_users(NOW, 9)) == [owner]
        assert [row.owner for row in ledger_of(records, owner)] == [owner]
        assert records.request(name) == a_request(key=name, owner=owner)


class TestDue:
    def test_what_is_due_comes_from_every_shard_the_longest_due_first(self, records: Records) -> None:
        late = [a_workstation(name=f"w{n}", due_at=NOW - n * SECOND) for n in range(40)]
        for workstation in late:
            create(records, workstation)
        assert len({shard_of(workstation.id) for workstation in late}) > 10
        assert list(records.due_workstations(NOW, 100)) == [workstation.id for workstation in reversed(late)]

    def test_no_more_than_asked_for_and_those_are_the_longest_due(self, records: Records) -> None:
        for n in range(10):
            create(records, a_workstation(name=f"w{n}", due_at=NOW - n * SECOND))
        expected = [workstation_id(ADA, "demo", name) for name in ("w9", "w8", "w7")]
        assert list(records.due_workstations(NOW, 3)) == expected

    def test_what_is_due_later_or_never_is_left_out(self, records: Records) -> None:
        create(records, a_workstation(name="later", due_at=NOW + MICROSECOND))
        create(records, a_workstation(name="never"))
        create(records, a_workstation(name="now", due_at=NOW))
        assert list(records.due_workstations(NOW, 9)) == [workstation_id(ADA, "demo", "now")]

    def test_what_was_due_and_is_no_more_is_left_out(self, records: Records) -> None:
        create(records, a_workstation(due_at=NOW))
        records.write(Batch(workstation=Stored(a_workstation(), stored(records).version)))
        assert list(records.due_workstations(NOW, 9)) == []

    def test_users_are_found_in_the_same_way(self, records: Records) -> None:
        for name, due_at in {"a": NOW, "b": NOW - SECOND, "c": NOW + MICROSECOND, "d": None}.items():
            records.save_user(Stored(a_user(name, due_at=due_at), None))
        assert list(records.due_users(NOW, 9)) == ["b", "a"]
        assert list(records.due_users(NOW, 1)) == ["b"]


class TestLists:
    def test_pages_meet_each_workstation_once_in_the_order_of_ids(self, records: Records) -> None:
        for n in range(7):
            create(records, a_workstation(name=f"w{n}"))
        ids, after = [], None
        while True:
            page = records.workstations_of(ADA, project=None, limit=3, after=after)
            assert len(page.items) <= 3
            ids += [workstation.id for workstation in page.items]
            after = page.after
            if after is None:
                break
        assert ids == sorted(workstation_id(ADA, "demo", f"w{n}") for n in range(7))

    def test_a_full_last_page_says_that_it_is_the_last(self, records: Records) -> None:
        for n in range(4):
            create(records, a_workstation(name=f"w{n}"))
        first = records.workstations_of(ADA, project=None, limit=2, after=None)
        assert records.workstations_of(ADA, project=None, limit=2, after=first.after).after is None

    def test_only_the_owners_and_of_the_project_and_not_deleted(self, records: Records) -> None:
        create(records, a_workstation())
        create(records, a_workstation(project="other"))
        create(records, a_workstation(owner="bob"))
        create(records, a_workstation(name="gone", state=State.DELETED))
        of_project = records.workstations_of(ADA, project="demo", limit=9, after=None)
        assert [workstation.id for workstation in of_project.items] == [ID]
        assert len(records.workstations_of(ADA, project=None, limit=9, after=None).items) == 2
        assert records.workstations_of(ADA, project="none", limit=9, after=None).items == []

    @pytest.mark.parametrize("after", ["a/b", "", "..", "zzz", "\u0000"])
    def test_a_made_up_continuation_is_only_a_place_in_the_order(self, records: Records, after: str) -> None:
        create(records, a_workstation())
        found = records.workstations_of(ADA, project=None, limit=9, after=after).items
        assert [workstation.id for workstation in found] == [id_ for id_ in [ID] if id_ > after]


class TestLives:
    def test_records_are_found_by_the_uids_of_their_lives(self, records: Records) -> None:
        """However many are asked for; DELETED ones too, and those that have none are left out."""
        uids = [Uid(f"{number:020d}") for number in range(70)]
        states = [State.RUNNING, State.STOPPED, State.DELETED]
        for number, uid in enumerate(uids[:65]):
            create(records, a_workstation(name=f"w{number}", uid=uid, state=states[number % 3]))

        found = records.lives(set(uids))

        assert {uid: life.state for uid, life in found.items()} == {
            uid: states[number % 3] for number, uid in enumerate(uids[:65])
        }
        assert all(life.uid == uid for uid, life in found.items())

    def test_nobody_asked_for_is_nobody_found(self, records: Records) -> None:
        create(records, a_workstation())
        assert records.lives(set()) == {}
