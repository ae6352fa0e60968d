"""A whole life under any order of work, neglect, failure and wishes, with another workstation on the same purse.

The invariants are the promises: nothing runs for nobody, no cap is passed, every cent and every event is accounted for.
"""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.domain.budget import admit, book, funds, reserve, used_on
from shared.domain.errors import CapReached
from shared.domain.events import broken_link
from shared.domain.money import HourlyRate, Micros
from shared.domain.names import Uid, WorkstationId
from shared.domain.observed import Busy
from shared.domain.policy import Policy, Priority
from shared.domain.rates import Card, rate_for
from shared.domain.sizes import SIZES
from shared.domain.states import COUNTED, Reason, State
from shared.domain.usage import Interval, OpenInterval, Usage, close, next_day
from tests.domain.builders_workstation import MINUTE, a_spec, a_user
from tests.domain.model_world import a_new_world

EVENING = datetime(2026, 3, 31, 21, 30, tzinfo=UTC)
"""The last one of a month."""
POLICY = Policy()
ALREADY_SPENT = 4_200_000
"""So much of today's five dollars that this evening reaches the cap."""
OTHER = WorkstationId("ws-other")
OTHER_RATE = HourlyRate(190_800)
SLACK = POLICY.caps.daily * 2 // 100
"""Two percent of the daily cap: what a stop may take beyond it."""


class Life(RuleBasedStateMachine):
    @initialize(priority=st.sampled_from(Priority))
    def provision(self, priority: Priority) -> None:
        spent = Interval(
            uid=Uid("before"),
            epoch=1,
            n=1,
            usage=Usage.ACTIVE,
            rate=HourlyRate(1),
            start=EVENING - MINUTE,
            end=EVENING,
            amount=Micros(ALREADY_SPENT),
            cause="running",
        )
        rate = rate_for(Card.LIST, SIZES["ml"], "europe-west1")
        user = book(a_user(), (spent,))
        self.paid_by_others = [spent]
        self.other: OpenInterval | None = None
        self.world = a_new_world(EVENING, POLICY, user, spec=a_spec(priority), rate=rate).converge()
        self.before = self.world
        self.sweeps_run = True

    # --- time --------------------------------------------------------------------------------------------------

    def _minute(self, *, sweep: bool) -> None:
        world = self.world.later(MINUTE)
        self.world = world.swept() if sweep else world.cleaned()
        self._look_after_the_other()

    @rule(minutes=st.integers(1, 40))
    def tick(self, minutes: int) -> None:
        for _ in range(minutes):
            self._minute(sweep=True)
        self.sweeps_run = True

    @rule(minutes=st.integers(2, 90))
    def lose_the_sweep(self, minutes: int) -> None:
        """Only the cleanup runs, which knows no records."""
        for _ in range(minutes):
            self._minute(sweep=False)
        self.sweeps_run = False

    @rule()
    def pass_midnight(self) -> None:
        midnight = next_day(self.world.now)
        while self.world.now < midnight + MINUTE:
            self._minute(sweep=True)
        self.sweeps_run = True

    # --- the user ----------------------------------------------------------------------------------------------

    @precondition(lambda self: self.world.workstation.state is State.RUNNING)
    @rule()
    def work(self) -> None:
        self.world = self.world.with_activity()

    @rule(busy=st.sampled_from(Busy))
    def compute(self, busy: Busy) -> None:
        self.world = self.world.with_busy(busy)

    @rule()
    def wake(self) -> None:
        self.world = self.world.woken()

    @rule()
    def stop(self) -> None:
        self.world = self.world.stopped_by_user()

    @precondition(lambda self: len(self.world.events) > 12)
    @rule()
    def delete(self) -> None:
        self.world = self.world.deleted_by_user()

    # --- failures ----------------------------------------------------------------------------------------------

    @precondition(lambda self: self.world.instance_may_run)
    @rule(reason=st.sampled_from([Reason.OOM, Reason.CRASH, Reason.UNHEALTHY]))
    def crash(self, reason: Reason) -> None:
        self.world = self.world.with_breakdown(reason)

    @precondition(lambda self: self.world.instance_may_run)
    @rule()
    def replace_the_instance(self) -> None:
        self.world = self.world.with_new_instance()

    @rule(reachable=st.booleans())
    def cut_the_network(self, reachable: bool) -> None:
        self.world = replace(self.world, reachable=reachable)

    @rule(up=st.booleans())
    def take_the_gateway_down(self, up: bool) -> None:
        self.world = replace(self.world, gateway_up=up)

    # --- the other workstation ---------------------------------------------------------------------------------

    @precondition(lambda self: self.other is None)
    @rule()
    def start_the_other(self) -> None:
        world = self.world
        try:
            held = admit(world.user, POLICY.caps, POLICY.reserves, OTHER, OTHER_RATE, world.now)
        except CapReached:
            return
        self.world = replace(world, user=reserve(world.user, OTHER, held))
        self.other = OpenInterval(usage=Usage.ACTIVE, rate=OTHER_RATE, start=world.now, epoch=1, n=1)

    @precondition(lambda self: self.other is not None)
    @rule()
    def stop_the_other(self) -> None:
        assert self.other is not None
        rows, _ = close(self.other, Uid(f"other-{len(self.paid_by_others)}"), self.world.now, "running")
        self.paid_by_others.extend(rows)
        self.other = None
        self.world = replace(self.world, user=reserve(book(self.world.user, rows), OTHER, None))

    def _look_after_the_other(self) -> None:
        """Renewed as far as the money goes, stopped when its reservation ends."""
        if self.other is None:
            return
        user, now = self.world.user, self.world.now
        held = user.reservations[OTHER]
        horizon = now + POLICY.reserves.ahead
        found = funds(user, POLICY.caps, OTHER, held.rate, held.since, horizon, held.margin)
        if found.until > held.until:
            held = replace(held, until=found.until)
            self.world = replace(self.world, user=reserve(user, OTHER, held))
        if now >= held.until:
            self.stop_the_other()

    # --- what always holds -------------------------------------------------------------------------------------

    @invariant()
    def nothing_runs_beyond_what_is_paid_for(self) -> None:
        service = self.world.service
        if self.world.instance_may_run and self.sweeps_run:
            assert service
            assert service.not_after
            assert self.world.now <= service.not_after + POLICY.sweep_interval

    @invariant()
    def what_may_run_is_metered_and_what_cannot_is_not(self) -> None:
        record = self.world.workstation
        assert record.interval is not None or not self.world.instance_may_run
        assert record.interval is None or record.state not in (State.PENDING, State.STOPPED, State.DELETED)

    @invariant()
    def a_reservation_is_held_by_what_counts_and_by_nothing_else(self) -> None:
        record = self.world.workstation
        counts = record.interval is not None or record.state in COUNTED
        assert (record.id in self.world.user.reservations) is counts

    @invariant()
    def the_reservation_is_the_open_intervals(self) -> None:
        record, user = self.world.workstation, self.world.user
        if record.interval and record.not_after:
            held = user.reservations[record.id]
            assert (held.rate, held.since) == (record.interval.rate, record.interval.start)
            assert held.until + POLICY.reserves.save_time == record.not_after

    @invariant()
    def the_totals_are_the_ledger(self) -> None:
        rows = [*self.world.ledger, *self.paid_by_others]
        assert len({row.id for row in rows}) == len(rows)
        assert sum(self.world.user.days.values()) == sum(row.amount for row in rows)
        assert sum(self.world.user.months.values()) == sum(row.amount for row in rows)

    @invariant()
    def the_log_is_whole_and_the_record_is_at_its_end(self) -> None:
        record, events = self.world.workstation, list(self.world.events)
        assert broken_link(events) is None
        assert (record.event_seq, record.event_hash) == (len(events), events[-1].hash)

    @invariant()
    def no_cap_is_passed(self) -> None:
        """While the sweep is lost, what the cleanup stopped is still in the record as running."""
        user = self.world.user if self.sweeps_run else replace(self.world.user, reservations={})
        day, month = used_on(user, self.world.now)
        assert day <= POLICY.caps.daily + SLACK
        assert month <= POLICY.caps.monthly + SLACK

    @invariant()
    def nobody_is_away_for_more_than_twelve_hours(self) -> None:
        record = self.world.workstation
        if record.state in (State.RUNNING, State.IDLE) and self.sweeps_run:
            assert self.world.now < record.attended_time + POLICY.max_unattended + POLICY.sweep_interval

    @invariant()
    def time_never_runs_backwards_and_the_dead_stay_dead(self) -> None:
        before, after = self.before.workstation, self.world.workstation
        assert after.epoch >= before.epoch
        assert after.k >= before.k
        assert after.event_seq >= before.event_seq
        assert after.last_activity.time >= before.last_activity.time
        assert after.attended_time >= before.attended_time
        assert before.state is not State.DELETED or after.state is State.DELETED
        self.before = self.world

    @invariant()
    def whoever_is_refused_had_no_money(self) -> None:
        for refusal in self.world.refusals:
            assert refusal.limit in (POLICY.caps.daily, POLICY.caps.monthly)
            assert refusal.spent > refusal.limit * 9 // 10


LifeTest = pytest.mark.mission("COST-06")(Life.TestCase)
LifeTest.settings = settings(stateful_step_count=30)
