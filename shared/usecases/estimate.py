"""What things cost and what is left: the money side of every answer."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from shared.domain.budget import Funds, User, funds, save_margin, used_on
from shared.domain.lifecycle.endings import Ending, next_ending
from shared.domain.money import HourlyRate, Micros
from shared.domain.policy import Policy
from shared.domain.states import State
from shared.domain.usage import next_day, next_month
from shared.domain.workstation import Workstation


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """One cap: what is spent against it (open intervals included), what is left, when it begins anew."""

    limit: Micros
    spent: Micros
    remaining: Micros
    reset_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """A user's money now. `hourly` is what all that runs costs an hour."""

    day: Period
    month: Period
    hourly: HourlyRate


def balance(user: User, policy: Policy, now: datetime) -> Balance:
    caps = user.caps(policy.caps)
    day, month = used_on(user, now)
    hourly = HourlyRate(sum(held.rate for held in user.reservations.values()))
    return Balance(
        day=_period(caps.daily, day, next_day(now)),
        month=_period(caps.monthly, month, next_month(now)),
        hourly=hourly,
    )


def planned_stop(workstation: Workstation, user: User, policy: Policy, now: datetime) -> Ending | None:
    """When it stops if nothing else happens, and why; None for one that does not run."""
    if workstation.state not in (State.RUNNING, State.IDLE):
        return None
    money = money_left(workstation, user, policy, now)
    return next_ending(workstation, money, workstation.quiet_since, policy)


def money_left(workstation: Workstation, user: User, policy: Policy, now: datetime) -> Funds:
    """How far the owner's money carries this workstation at its present rate."""
    interval = workstation.interval
    return funds(
        user,
        user.caps(policy.caps),
        workstation.id,
        interval.rate if interval else workstation.rate.active,
        interval.start if interval else now,
        now + policy.reserves.ahead,
        save_margin(workstation.rate.active, policy.reserves),
    )


def session_cost(workstation: Workstation, now: datetime) -> Micros:
    """What this session has cost so far."""
    interval = workstation.interval
    return interval.session_cost(now) if interval else Micros(0)


def etag_of(workstation: Workstation) -> str:
    """Changes with every transition and with what the user can set; not with a touch."""
    spec = workstation.spec
    content = [
        workstation.uid,
        workstation.event_seq,
        spec.priority,
        sorted(spec.env.items()),
        spec.size_name,
    ]
    timeouts = [str(spec.idle_timeout), str(spec.stop_timeout)]
    return hashlib.sha256(json.dumps([*content, *timeouts]).encode()).hexdigest()[:20]


def _period(limit: Micros, spent: Micros, reset_time: datetime) -> Period:
    return Period(limit=limit, spent=spent, remaining=Micros(max(0, limit - spent)), reset_time=reset_time)
