"""Budgets, rates and caps for the tests of money: small enough that their ends are reached."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from shared.domain.budget import (
    User,
    book,
)
from shared.domain.money import HourlyRate, Micros
from shared.domain.names import WorkstationId
from shared.domain.policy import Caps, Reserves
from shared.domain.usage import Interval, Usage
from tests.domain.builders_workstation import MINUTE, NOW, UID, a_user

RESERVES = Reserves()
CENT = 10_000
FLAT = HourlyRate(50_000)
ONE, OTHER = WorkstationId("ws-one"), WorkstationId("ws-other")
PLENTY = Caps()

LAST_MINUTES = datetime(2026, 3, 31, 23, 50, tzinfo=UTC)
"""Near the end of a day and of a month."""


def committed(user: User) -> tuple[Counter[str], Counter[str]]:
    """All that is spent or reserved by day and by month, counted anew from the parts."""
    days, months = Counter(user.days), Counter(user.months)
    for held in user.reservations.values():
        for day, amount in held.parts():
            days[day] += amount
            months[day[:7]] += amount
    return days, months


def a_row(start: datetime, amount: int, end: datetime | None = None) -> Interval:
    return Interval(
        uid=UID,
        epoch=1,
        n=1,
        usage=Usage.ACTIVE,
        rate=FLAT,
        start=start,
        end=end or start + MINUTE,
        amount=Micros(amount),
        cause="running",
    )


def spent(amount: int, at: datetime = NOW) -> User:
    return book(a_user(), (a_row(at, amount),))


RATES = st.sampled_from([10_000, 13_500, 40_000, 50_000, 90_900, 417_600]).map(HourlyRate)
STARTS = st.timedeltas(timedelta(0), timedelta(days=5)).map(
    lambda after: datetime(2026, 3, 28, tzinfo=UTC) + after
)
SMALL_CAPS = st.builds(
    lambda daily, monthly: Caps(daily=Micros(daily), monthly=Micros(max(daily, monthly))),
    st.integers(1_000, 200_000),
    st.integers(1_000, 600_000),
)
