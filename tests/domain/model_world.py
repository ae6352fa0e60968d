"""A pure model of everything outside `decide`: one workstation, its service, its agent and its owner's money.

`World.enact` does at once and without fail what an action asks for, with the domain's own `transition`; `converge`
repeats observe, decide and enact at one moment. The ledger and the log are kept whole, for the invariants.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from shared.domain.actions import (
    Action,
    Admit,
    CreateService,
    Decision,
    DeleteService,
    Hold,
    Load,
    Purge,
    Record,
    Renew,
    Rest,
    Resume,
    Save,
    ScaleDown,
    ScaleUp,
    Touch,
)
from shared.domain.budget import Funds, Reservation, User, admit, funds, reserve, save_margin
from shared.domain.counting import count
from shared.domain.errors import CapReached
from shared.domain.events import Event
from shared.domain.facts import Fact, Origin
from shared.domain.lifecycle import asks_agent, decide
from shared.domain.observed import AgentView, Busy, Observed, Phase, Scaling, ServiceView
from shared.domain.policy import Policy
from shared.domain.states import Kind, Reason, State
from shared.domain.transition import transition
from shared.domain.usage import Interval, Tally
from shared.domain.workstation import Activity, Source, Workstation
from tests.domain.builders_workstation import OWNER, a_breakdown, a_workstation

MOST_STEPS = 14
HOLD = timedelta(minutes=55)
SWEEP = Origin(actor="sweep")


@dataclass(frozen=True, kw_only=True)
class World:
    workstation: Workstation
    user: User
    now: datetime
    policy: Policy
    service: ServiceView | None = None
    agent: AgentView | None = None
    boots: int = 0
    reachable: bool = True
    gateway_up: bool = True
    events: tuple[Event, ...] = ()
    ledger: tuple[Interval, ...] = ()
    states: tuple[State, ...] = field(default=())
    """The state after each transition, in order."""
    refusals: tuple[CapReached, ...] = ()

    # --- what is seen ------------------------------------------------------------------------------------------

    def observed(self) -> Observed:
        asked = asks_agent(self.workstation, self.service, self.policy, self.now)
        return Observed(
            service=self.service,
            agent=self.agent if asked and self.reachable else None,
            funds=self.funds(),
        )

    def funds(self) -> Funds:
        open_ = self.workstation.interval
        return funds(
            self.user,
            self.user.caps(self.policy.caps),
            self.workstation.id,
            open_.rate if open_ else self.workstation.rate.active,
            open_.start if open_ else self.now,
            self.now + self.policy.reserves.ahead,
            save_margin(self.workstation.rate.active, self.policy.reserves),
        )

    def decision(self) -> Decision:
        return decide(self.workstation, self.observed(), self.policy, self.now)

    # --- what the control plane does ---------------------------------------------------------------------------

    def converge(self) -> "World":
        """Decide and enact until there is nothing to do, or nothing that could be done."""
        world = self
        for _ in range(MOST_STEPS):
            decision = world.decision()
            after = world.enact(decision.action) if decision.action else world
            if after == world:
                return replace(world, workstation=replace(world.workstation, due_at=decision.due_at))
            world = after
        raise AssertionError(
            f"never quiet: {[str(state) for state in world.states]}, next {world.decision()}"
        )

    def enact(self, action: Action) -> "World":
        """What `action` asks for, done at once; the world as it is where it cannot be done now."""
        match action:
            case CreateService() | ScaleUp() | ScaleDown() | DeleteService():
                return self._enact_on_service(action)
            case Load() | Save() | Rest() | Resume() | Hold():
                return self._enact_on_agent(action)
            case Renew(until):
                return self._renewed(until)
            case Touch(activity, attended):
                return self._touched(activity, attended)
            case Admit(kind, fresh_service):
                return self.admitted(kind, fresh_service=fresh_service)
            case Record():
                return self._recorded(action)
            case Purge():
                return self

    def _enact_on_service(self, action: CreateService | ScaleUp | ScaleDown | DeleteService) -> "World":
        match action:
            case CreateService():
                return self._with_service(scaling=Scaling.OFF, epoch=0, not_after=None)
            case ScaleUp():
                return self._scaled_up()
            case ScaleDown():
                return replace(self._with_service(scaling=Scaling.OFF), agent=None)
            case DeleteService():
                return replace(self, service=None, agent=None)

    def _enact_on_agent(self, action: Load | Save | Rest | Resume | Hold) -> "World":
        match action:
            case Load():
                return self._with_agent(phase=Phase.READY, epoch=self.workstation.epoch)
            case Save(force):
                return self._saved(force)
            case Rest():
                rested = self._saved(force=False)
                return rested.record(Kind.IDLED) if rested.events != self.events else rested
            case Resume():
                return self._with_agent(phase=Phase.READY)
            case Hold():
                held = HOLD if self.gateway_up else self.policy.sweep_interval
                return replace(self, workstation=replace(self.workstation, hold_until=self.now + held))

    def record(self, kind: Kind, origin: Origin = SWEEP, **details: Any) -> "World":
        """The world after one transition, with its batch written."""
        fact = Fact(kind=kind, time=self.now, origin=origin, **details)
        change = transition(self.workstation, self.user, fact, self.policy)
        return replace(
            self,
            workstation=change.workstation,
            user=change.user,
            events=(*self.events, change.event),
            ledger=(*self.ledger, *change.intervals),
            states=(*self.states, change.workstation.state),
        )

    def admitted(self, kind: Kind, *, fresh_service: bool = False, origin: Origin = SWEEP) -> "World":
        """Running again, or, where the user's money does not allow it, told so and left alone."""
        try:
            reservation = self._admission()
        except CapReached as refusal:
            return replace(
                self,
                workstation=replace(self.workstation, wake_pending=False, retry_at=None),
                refusals=(*self.refusals, refusal),
            )
        after = self.record(kind, origin, reservation=reservation, fresh_service=fresh_service)
        return after._with_agent(phase=Phase.READY) if kind is Kind.RESUMED else after

    def _admission(self, since: datetime | None = None) -> Reservation:
        caps = self.user.caps(self.policy.caps)
        rate = self.workstation.rate.active
        return admit(self.user, caps, self.policy.reserves, self.workstation.id, rate, self.now, since)

    def _recorded(self, record: Record) -> "World":
        gone_time = self.service.gone_time if self.service else None
        kind = record.kind
        details: dict[str, Any] = {
            "reason": record.reason,
            "message": record.message,
            "breakdown": record.breakdown,
            "gone_time": gone_time,
        }
        if kind is Kind.STARTED:
            assert self.agent is not None
            details["boot_id"] = self.agent.boot_id
        if kind in (Kind.STARTED, Kind.PROVISIONED):
            assert self.service is not None
            details["uri"] = self.service.uri
        return self.record(kind, **details)

    def _scaled_up(self) -> "World":
        record = self.workstation
        on = self._with_service(scaling=Scaling.ON, epoch=record.epoch, not_after=record.not_after)
        return on if on.agent else on.with_new_instance()

    def _saved(self, force: bool) -> "World":
        """Quiesced and saved; refused when busy; impossible when the agent cannot be reached."""
        if self.agent is None or not self.reachable:
            return self
        if self.agent.busy is not Busy.NO and not force:
            return self._touched(Activity(self.now, Source.PROCESS), attended=False)
        return self._with_agent(phase=Phase.QUIESCED).record(Kind.SAVED)

    def _renewed(self, until: datetime) -> "World":
        held = self.user.reservations[self.workstation.id]
        return replace(
            self,
            user=reserve(self.user, self.workstation.id, replace(held, until=until)),
            workstation=replace(self.workstation, not_after=until + self.policy.reserves.save_time),
        )

    def _touched(self, activity: Activity, attended: bool) -> "World":
        record = self.workstation
        newer = max(record.last_activity, activity, key=lambda each: each.time)
        there = max(record.attended_time, activity.time) if attended else record.attended_time
        return replace(self, workstation=replace(record, last_activity=newer, attended_time=there))

    def _with_service(self, **changes: Any) -> "World":
        service = self.service or ServiceView(
            name=self.workstation.service_name or "",
            etag="",
            uid=self.workstation.uid,
            epoch=0,
            not_after=None,
            scaling=Scaling.OFF,
            settled=True,
            changed_at=self.now,
            uri="https://main.example",
        )
        return replace(self, service=replace(service, changed_at=self.now, breakdown=None, **changes))

    def _with_agent(self, **changes: Any) -> "World":
        return replace(self, agent=replace(self.agent, **changes)) if self.agent else self

    # --- what happens outside ----------------------------------------------------------------------------------

    def later(self, time: timedelta) -> "World":
        return replace(self, now=self.now + time)

    def swept(self) -> "World":
        """The minute's sweep: it converges what is due."""
        due = self.workstation.due_at
        return self.converge() if due and due <= self.now else self

    def counted(self, requests: int, id_: str = "") -> "World":
        """The gateway has forwarded so many and writes them down."""
        tally = Tally(self.workstation.uid, id_, requests)
        after = count(self.workstation, self.user, tally, self.policy, self.now)
        ledger = (*self.ledger, *after.intervals)
        return replace(self, workstation=after.workstation, user=after.user, ledger=ledger)

    def cleaned(self) -> "World":
        """The slower pass that needs no record: what is overdue is scaled to zero."""
        service = self.service
        if service and service.scaling is Scaling.ON and service.not_after and service.not_after <= self.now:
            return self.enact(ScaleDown())
        return self

    def with_new_instance(self) -> "World":
        """An empty instance, as the platform starts it."""
        boots = self.boots + 1
        agent = AgentView(boot_id=f"boot-{boots}", phase=Phase.EMPTY, epoch=None, busy=Busy.NO)
        return replace(self, boots=boots, agent=agent)

    def with_activity(self) -> "World":
        """The user works in it: the agent sees a client."""
        seen = Activity(self.now, Source.TERMINAL)
        return self._with_agent(last_activity=seen, last_client_activity=seen)

    def with_breakdown(self, reason: Reason) -> "World":
        """The platform says why it does not run."""
        broken = a_breakdown(reason)
        return replace(self, service=replace(self.service, breakdown=broken)) if self.service else self

    def with_busy(self, busy: Busy) -> "World":
        return self._with_agent(busy=busy)

    def woken(self) -> "World":
        """The user's own wake, whatever the state."""
        record = self.workstation
        match record.state:
            case State.STOPPED | State.ERROR:
                return self.admitted(Kind.WOKEN, origin=Origin(actor=OWNER))._touch_by_user().converge()
            case State.IDLE:
                return self.admitted(Kind.RESUMED, origin=Origin(actor=OWNER))._touch_by_user().converge()
            case State.STOPPING:
                wanted = replace(self, workstation=replace(record, wake_pending=True))
                return wanted._touch_by_user().converge()
            case State.RUNNING:
                return self._touch_by_user().converge()
            case _:
                return self

    def _touch_by_user(self) -> "World":
        return self._touched(Activity(self.now, Source.API), attended=True)

    def stopped_by_user(self) -> "World":
        if self.workstation.state not in (State.PENDING, State.STARTING, State.RUNNING, State.IDLE):
            return self
        return self.record(Kind.STOP_BEGUN, Origin(actor=OWNER), reason=Reason.USER).converge()

    def deleted_by_user(self) -> "World":
        if self.workstation.state in (State.DELETING, State.DELETED):
            return self
        return self.record(Kind.DELETE_BEGUN, Origin(actor=OWNER), reason=Reason.USER).converge()

    @property
    def instance_may_run(self) -> bool:
        return self.service is not None and self.service.scaling is Scaling.ON


def a_new_world(now: datetime, policy: Policy, user: User | None = None, **changes: Any) -> World:
    """A workstation that was provisioned just now, not yet converged."""
    blank = a_workstation(
        State.PENDING,
        create_time=now,
        state_time=now,
        last_activity=Activity(now, Source.API),
        attended_time=now,
        k=0,
        service_name=None,
        uri=None,
        epoch=0,
        boot_id=None,
        session_start=None,
        not_after=None,
        interval=None,
        **changes,
    )
    world = World(workstation=blank, user=user or User(owner=OWNER), now=now, policy=policy)
    return world.record(Kind.CREATED, Origin(actor=OWNER), reservation=world._admission())
