"""Integer micro-dollars: how a rate over a time becomes an amount, without ever losing or inventing one.

A rate is whole micro-dollars an hour. What a session has accrued is kept as an exact integer in
micro-dollar-microseconds an hour (`Accrued`); an amount is the floor of that, taken only at the ends of
intervals, so that however an interval is split the parts sum to the whole.
"""

from datetime import datetime, timedelta
from typing import NewType

Micros = NewType("Micros", int)
"""Millionths of a US dollar."""

HourlyRate = NewType("HourlyRate", int)
"""Micro-dollars an hour."""

Accrued = NewType("Accrued", int)
"""Rate times microseconds: an amount times `PER_MICRO`, before any rounding. Below 2**63 up to $2,500 a session."""

MillionRate = NewType("MillionRate", int)
"""Micro-dollars for a million requests."""

PER_MICRO = 3_600_000_000
"""Microseconds in an hour."""

MILLION = 1_000_000

NO_FEE = MillionRate(0)

MICROSECOND = timedelta(microseconds=1)


def accrue(rate: HourlyRate, start: datetime, end: datetime) -> Accrued:
    """What `rate` accrues from `start` to `end`; nothing when the end lies before the start."""
    return Accrued(rate * max(0, (end - start) // MICROSECOND))


def accrue_requests(fee: MillionRate, count: int) -> Accrued:
    """What `count` requests accrue, to the last unit: PER_MICRO is a multiple of a million."""
    return Accrued(fee * count * (PER_MICRO // MILLION))


def floor_amount(accrued: Accrued) -> Micros:
    """Whole micro-dollars in what has accrued: what is booked."""
    return Micros(accrued // PER_MICRO)


def ceil_amount(accrued: Accrued) -> Micros:
    """Whole micro-dollars that surely cover what accrues: what is reserved."""
    return Micros(-(-accrued // PER_MICRO))


def affords(amount: Micros, rate: HourlyRate) -> timedelta:
    """How long `amount` pays for `rate`, rounded down to a microsecond. `rate` is above zero."""
    return timedelta(microseconds=max(0, amount) * PER_MICRO // rate)


def usd(amount: Micros) -> str:
    """`$0.0015` for people: at least two decimals, no more than the amount has."""
    whole, fraction = divmod(abs(amount), 1_000_000)
    digits = f"{fraction:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if amount < 0 else ''}${whole}.{digits}"
