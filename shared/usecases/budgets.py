"""A user's money: what is spent by whom and on what, and the caps that the user sets below the operator's."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from shared.domain.budget import User
from shared.domain.errors import InvalidArgument, Violation
from shared.domain.money import Micros, accrue, floor_amount, usd
from shared.domain.names import Owner
from shared.ports import Stored
from shared.usecases.deps import Deps
from shared.usecases.estimate import Balance, balance
from shared.usecases.recording import insist

MOST_WORKSTATIONS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """This month. `always_on` is what the same workstations would have cost had they never slept."""

    balance: Balance
    projects: dict[str, Micros]
    always_on: Micros


def usage_of(deps: Deps, owner: Owner) -> Usage:
    now = deps.clock.now()
    month_start = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    projects: Counter[str] = Counter()
    for row in deps.records.ledger(owner, month_start, now):
        projects[row.project] += row.interval.amount
    always_on = 0
    for workstation in deps.records.workstations_of(
        owner, project=None, limit=MOST_WORKSTATIONS, after=None
    ).items:
        if workstation.interval:
            projects[workstation.project] += workstation.interval.cost(now)
        since = max(month_start, workstation.create_time)
        always_on += floor_amount(accrue(workstation.rate.active, since, now))
    user = deps.records.user(owner).value
    return Usage(
        balance=balance(user, deps.policy, now),
        projects={project: Micros(amount) for project, amount in projects.items()},
        always_on=Micros(always_on),
    )


def set_own_caps(deps: Deps, owner: Owner, daily: Micros | None, monthly: Micros | None) -> User:
    """Caps of one's own hold at once, also for what runs. Raises InvalidArgument above the operator's."""
    highest = deps.policy.caps
    asked = (("dailyLimitMicros", daily, highest.daily), ("monthlyLimitMicros", monthly, highest.monthly))
    bad = tuple(
        Violation(name, f"at most {limit} ({usd(limit)}), the operator's limit")
        for name, wanted, limit in asked
        if wanted is not None and wanted > limit
    )
    if bad:
        raise InvalidArgument(
            "A limit of your own cannot be above the operator's.", "ABOVE_LIMIT", violations=bad
        )
    return insist(deps, lambda: _set(deps, owner, daily, monthly, deps.clock.now()))


def _set(deps: Deps, owner: Owner, daily: Micros | None, monthly: Micros | None, now: datetime) -> User:
    stored = deps.records.user(owner)
    user = replace(
        stored.value,
        daily_cap=stored.value.daily_cap if daily is None else daily,
        monthly_cap=stored.value.monthly_cap if monthly is None else monthly,
        due_at=now,
    )
    deps.records.save_user(Stored(user, stored.version))
    return user
