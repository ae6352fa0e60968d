"""One scene for each thing that can be decided, so that no action and no reason is ever forgotten."""

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

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
from shared.domain.budget import Funds
from shared.domain.observed import Busy, Phase, Scaling
from shared.domain.states import Reason, State
from tests.domain.builders_workstation import (
    HOUR,
    MINUTE,
    NOW,
    a_breakdown,
    a_service,
    a_workstation,
    an_agent,
    decide_on,
)

RUNNING, IDLE, STOPPED = a_workstation(), a_workstation(State.IDLE), a_workstation(State.STOPPED)
STARTING, STOPPING = a_workstation(State.STARTING), a_workstation(State.STOPPING, deadline=NOW + MINUTE)
OFF = a_service(STOPPED, Scaling.OFF)

ACTIONS: dict[type, Decision] = {
    CreateService: decide_on(STARTING, service=None),
    ScaleUp: decide_on(STARTING, service=OFF),
    ScaleDown: decide_on(STOPPED, service=a_service(STOPPED)),
    DeleteService: decide_on(a_workstation(State.DELETING), service=OFF),
    Purge: decide_on(a_workstation(State.DELETED, purge=True), service=None),
    Load: decide_on(STARTING, agent=an_agent(STARTING, phase=Phase.EMPTY)),
    Save: decide_on(STOPPING),
    Rest: decide_on(a_workstation(silent=6 * MINUTE)),
    Resume: decide_on(RUNNING, agent=an_agent(RUNNING, phase=Phase.QUIESCED)),
    Hold: decide_on(RUNNING, agent=an_agent(RUNNING, busy=Busy.YES)),
    Renew: decide_on(a_workstation(not_after=NOW + MINUTE)),
    Touch: decide_on(
        a_workstation(silent=2 * MINUTE, hold_until=NOW + HOUR), agent=an_agent(RUNNING, busy=Busy.YES)
    ),
    Admit: decide_on(replace(STOPPED, wake_pending=True), service=OFF),
    Record: decide_on(STARTING, agent=an_agent(STARTING)),
}


@pytest.mark.parametrize("action", get_args(Action), ids=lambda action: action.__name__)
def test_every_action_is_decided_somewhere(action: type) -> None:
    assert isinstance(ACTIONS[action].action, action)


REASONS: dict[Reason, Decision] = {
    Reason.STOP_TIMEOUT: decide_on(a_workstation(State.IDLE, silent=30 * MINUTE)),
    Reason.SAFETY_LIMIT: decide_on(a_workstation(attended_time=NOW - 12 * HOUR)),
    Reason.DAILY_CAP: decide_on(RUNNING, funds=Funds(until=NOW, reason=Reason.DAILY_CAP)),
    Reason.MONTHLY_CAP: decide_on(IDLE, funds=Funds(until=NOW, reason=Reason.MONTHLY_CAP)),
    Reason.RETENTION: decide_on(STOPPED, service=None),
    Reason.OOM: decide_on(RUNNING, service=a_service(RUNNING, breakdown=a_breakdown(Reason.OOM))),
    Reason.CRASH: decide_on(RUNNING, service=None),
    Reason.UNHEALTHY: decide_on(IDLE, service=a_service(IDLE, breakdown=a_breakdown(Reason.UNHEALTHY))),
    Reason.START_FAILED: decide_on(a_workstation(State.STARTING, deadline=NOW), service=None),
    Reason.OVERDUE: decide_on(RUNNING, service=a_service(RUNNING, Scaling.OFF)),
}
GIVEN_BY_OTHERS = {
    Reason.USER,
    Reason.IDLE,
    Reason.LEASE_EXPIRED,
    Reason.BREAKER,
    Reason.ORPHAN,
    Reason.ADMIN,
}
"""By a wish, by the one who rests it, or by a pass that is not about one workstation."""


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_decided_somewhere_or_given_by_others(reason: Reason) -> None:
    assert (reason in REASONS) is (reason not in GIVEN_BY_OTHERS)
    if reason in REASONS:
        action = REASONS[reason].action
        assert isinstance(action, Record)
        assert action.reason is reason


@pytest.mark.parametrize("reason", sorted(set(REASONS) - {Reason.STOP_TIMEOUT, Reason.RETENTION}))
def test_what_the_user_did_not_ask_for_is_explained_in_words(reason: Reason) -> None:
    action = REASONS[reason].action

    assert isinstance(action, Record)
    assert action.message.endswith(".")


@pytest.mark.parametrize("state", State)
def test_a_decision_that_acts_is_never_due_in_the_past(state: State) -> None:
    """So that what could not be done is tried again, and not forgotten."""
    for service in (None, OFF, a_service(a_workstation(state))):
        decision = decide_on(a_workstation(state, deadline=NOW + MINUTE, retry_at=NOW), service=service)
        if decision.due_at is not None:
            assert NOW <= decision.due_at <= NOW + timedelta(days=31)
