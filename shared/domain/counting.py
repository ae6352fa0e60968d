"""Requests that were forwarded to a workstation: into its open interval, its user's money, and as far as that still goes.

Nobody knows beforehand how many there will be, so they are in no reservation. Each tally is counted once it is known,
and where it takes what was reserved for running, the reservation ends earlier: so that what is spent and reserved passes
a cap by no more than what one tally costs. Where nothing is open any more, a tally is a row of its own.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.budget import User, book, funds, reserve
from shared.domain.policy import Policy
from shared.domain.usage import Interval, Tally, of_requests, through_midnight
from shared.domain.workstation import Workstation

KEPT_TALLIES = 32
"""More than there are gateways whose answers are lost at one time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One batch."""

    workstation: Workstation
    user: User
    intervals: tuple[Interval, ...] = ()
    is_short: bool = False
    """The money no longer goes as far as was reserved: it is to be looked at now."""


def is_counted(workstation: Workstation, tally: Tally) -> bool:
    return tally.uid == workstation.uid and tally.id in workstation.tallies


def count(workstation: Workstation, user: User, tally: Tally, policy: Policy, now: datetime) -> Counted:
    """With the requests of `tally`, of its own life. Where money is short it is due at once."""
    tallies = (*workstation.tallies, *filter(None, (tally.id,)))[-KEPT_TALLIES:]
    after = replace(workstation, tallies=tallies)
    if workstation.interval is None:
        row = of_requests(tally, workstation.epoch, workstation.rate.requests, now)
        return Counted(workstation=after, user=book(user, (row,)), intervals=(row,))
    # What has run out may be gone: what is closed now could not be found to have ended before.
    surely = min(now, workstation.not_after or now)
    rows, open_ = through_midnight(workstation.interval, workstation.uid, surely, workstation.state.lower())
    open_ = replace(open_, requests=open_.requests + tally.requests)
    after = replace(after, interval=open_)
    held = user.reservations.get(workstation.id)
    user = book(user, rows)
    if held is None:
        return Counted(workstation=after, user=user, intervals=rows)
    user = reserve(user, workstation.id, replace(held, since=open_.start, fees=open_.fees))
    return _within_caps(Counted(workstation=after, user=user, intervals=rows), policy, now)


def _within_caps(counted: Counted, policy: Policy, now: datetime) -> Counted:
    """Reserved no further than the money goes: what is not paid for may not run."""
    after, user = counted.workstation, counted.user
    held, caps = user.reservations[after.id], user.caps(policy.caps)
    until = max(now, funds(user, caps, after.id, held.rate, now, held.until, held.margin).until)
    if until >= held.until:
        return counted
    not_after = after.not_after and min(after.not_after, until + policy.reserves.save_time)
    return Counted(
        workstation=replace(after, not_after=not_after, due_at=now),
        user=reserve(user, after.id, replace(held, until=until)),
        intervals=counted.intervals,
        is_short=True,
    )
